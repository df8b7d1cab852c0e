"""Scripts can rely on it: exit codes, stdout that is data only, consent, one line per step."""

from __future__ import annotations

from pathlib import Path

from fluxstate_tui.errors import ExitCode
from tests.unit.cli_operate.conftest import Program


async def test_the_tutorial_without_a_screen(program: Program) -> None:
    submitted = await program("submit", "flux-sample", "--count", "2", "--json", "--", "true")
    assert len(submitted.json["jobs"]) == 2

    saved = await program("save", "flux-sample", "--keep-paused", "--json")
    assert saved.code == ExitCode.OK, saved
    assert saved.json["outcome"]["kind"] == "Completed"
    assert [step["state"] for step in saved.json["steps"]] == ["done"] * 7

    deleted = await program("delete", "flux-sample", "--yes")
    assert deleted.code == ExitCode.OK, deleted
    assert "ok    Delete the MiniCluster" in deleted.out

    unasked = await program("get", "archives", "flux-sample", "--json")
    assert unasked.code == ExitCode.REFUSED, "only a helper pod could read them"
    listed = await program("get", "archives", "flux-sample", "--json", "--yes")
    (archive,) = listed.json["archives"]
    assert archive["manifest"]["counts"] == {"COMPLETED": 2}

    restored = await program("restore", "flux-sample", "--size", "3", "--yes")
    assert restored.code == ExitCode.OK, restored
    assert "2 saved: 2 same" in restored.out

    table = await program("get", "miniclusters")
    assert table.out.splitlines()[1].split()[1:5] == ["flux-sample", "Up", "3/3", "started"]


async def test_what_is_refused_or_missing_has_its_own_exit_code(
    program: Program, tmp_path: Path
) -> None:
    unsaved = await program("delete", "flux-sample", "--yes")
    assert unsaved.code == ExitCode.REFUSED
    assert "LOST" in unsaved.out or "No verified archive" in unsaved.out
    assert "do: --save, or --i-know-what-is-lost flux-sample" in unsaved.err
    wrong = await program("delete", "flux-sample", "--yes", "--i-know-what-is-lost", "flux")
    assert wrong.code == ExitCode.REFUSED
    assert (await program("restore", "nosuch", "--yes")).code == ExitCode.NOT_FOUND
    assert (await program("pause", "--read-only")).code == ExitCode.REFUSED
    nowhere = await program("get", "miniclusters", kubeconfig=str(tmp_path / "nothing"))
    assert nowhere.code == ExitCode.NO_CONNECTION
    assert "do:" in nowhere.err


async def test_a_dry_run_shows_the_plan_and_does_nothing(program: Program) -> None:
    shown = await program("save", "--dry-run", "--json")
    assert shown.code == ExitCode.OK
    assert [step["id"] for step in shown.json["plan"]["steps"]][:2] == ["pause", "wait"]
    assert await program.stage.started()
    assert program.stage.files() == {}
