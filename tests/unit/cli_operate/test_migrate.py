"""`fluxstate-tui migrate`: one line per step, one JSON document, its own exit codes."""

from __future__ import annotations

from pathlib import Path

import yaml

from fluxstate_tui.errors import ExitCode
from fluxstate_tui.sim.server import SimulatedCluster
from tests.unit.cli_operate.conftest import Program


async def test_to_another_name_and_size(program: Program) -> None:
    await program("submit", "flux-sample", "--count", "2", "--", "true")
    words = ("--to-name", "bigger", "--size", "3")
    refused = await program("migrate", "flux-sample", *words)
    assert refused.code == ExitCode.REFUSED
    assert "beside" in refused.out
    moved = await program("migrate", "flux-sample", *words, "--yes", "--json")
    assert moved.code == ExitCode.OK, moved
    assert moved.json["outcome"]["kind"] == "Completed"
    assert [step["state"] for step in moved.json["steps"]] == ["done"] * 21
    table = await program("get", "miniclusters")
    assert [line.split()[1:5] for line in table.out.splitlines()[1:]] == [
        ["bigger", "Up", "3/3", "started"]
    ]


async def test_without_a_wish_there_is_nothing_to_do(program: Program) -> None:
    assert (await program("migrate", "flux-sample", "--yes")).code == ExitCode.USAGE


async def test_to_another_cluster_the_archive_travels_along(
    program: Program, tmp_path: Path
) -> None:
    await program("submit", "flux-sample", "--count", "2", "--", "true")
    async with SimulatedCluster(speed=40.0) as other:
        here = program.stage.sim.kubeconfig()
        there = other.kubeconfig()
        for kind in ("clusters", "users", "contexts"):
            there[kind][0]["name"] = "other"
            here[kind] += there[kind]
        here["contexts"][1]["context"] |= {"cluster": "other", "user": "other"}
        both = tmp_path / "both"
        both.write_text(yaml.safe_dump(here))
        both.chmod(0o600)
        moved = await program(
            "migrate", "flux-sample", "--to-context", "other", "--yes", kubeconfig=str(both)
        )
        assert moved.code == ExitCode.OK, moved
        assert "2 saved: 2 same" in moved.out
        words = ("jobs", "-a", "flux-sample", "--json")
        listed = await program("get", *words, "--context", "other", kubeconfig=str(both))
        assert len(listed.json["jobs"]) == 2
        gone = await program("get", "miniclusters", kubeconfig=str(both))
        assert "flux-sample" not in gone.out
