"""Who may list MiniClusters and pods, but not Jobs, is shown what that is enough for."""

from __future__ import annotations

from pathlib import Path

from fluxstate_tui.errors import ExitCode
from fluxstate_tui.sim.api.auth import Rule, User
from tests.unit.cli_operate.conftest import Program

LISTS = Rule(("get", "list", "watch"), ("miniclusters", "pods"), ("*",))
EXEC = Rule(("get", "create"), ("pods/exec",), ("*",))


def viewer(program: Program, folder: Path, *rules: Rule) -> str:
    user = User("viewer", (), (LISTS, *rules))
    sim = program.stage.sim
    return str(sim.write_kubeconfig(folder / "viewer", sim.add_user(user)))


async def test_miniclusters_and_pods_are_listed_without_the_right_to_list_jobs(
    program: Program, tmp_path: Path
) -> None:
    config = viewer(program, tmp_path)
    shown = await program("get", "miniclusters", "--json", kubeconfig=config)
    assert shown.code == 0, shown
    [found] = shown.json["miniclusters"]
    assert (found["phase"], found["podsRunning"]) == ("Unknown", 2)
    assert "no right to exec" in found["reason"]
    pods = await program("get", "pods", kubeconfig=config)
    assert pods.code == 0
    assert pods.out.count("Running") == 2


async def test_with_exec_the_queue_and_the_archives_are_read(
    program: Program, tmp_path: Path
) -> None:
    await program("save", "--yes")
    config = viewer(program, tmp_path, EXEC)
    shown = await program("get", "miniclusters", "--json", kubeconfig=config)
    assert shown.json["miniclusters"][0]["phase"] == "Up"
    assert (await program("get", "jobs", kubeconfig=config)).code == 0
    archives = await program("get", "archives", "--json", kubeconfig=config)
    assert archives.code == 0, archives
    assert len(archives.json["archives"]) == 1


async def test_archives_without_exec_say_which_right_is_missing(
    program: Program, tmp_path: Path
) -> None:
    await program("save", "--yes")
    config = viewer(program, tmp_path)
    listed = await program("get", "archives", "--json", kubeconfig=config)
    assert listed.code == ExitCode.NO_CONNECTION
    assert "may not get pods/exec" in listed.err
