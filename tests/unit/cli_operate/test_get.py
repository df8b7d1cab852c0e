"""What there is not is said on stderr; what may not be asked is not guessed."""

from __future__ import annotations

from fluxstate_tui.sim.api.auth import Rule, User
from tests.unit.cli_operate.conftest import Program


async def test_an_empty_list_is_empty_on_stdout_and_a_sentence_on_stderr(
    program: Program,
) -> None:
    jobs = await program("get", "jobs")
    assert (jobs.code, jobs.out) == (0, "")
    assert "No active jobs" in jobs.err


async def test_without_the_right_to_exec_the_phase_is_not_called_starting_up(
    program: Program,
) -> None:
    rules = (Rule(("get", "list"), ("miniclusters", "pods", "jobs", "events")),)
    token = program.stage.sim.add_user(User("viewer", (), rules))
    path = program.stage.sim.write_kubeconfig(program.folder / "viewer", token)
    listed = await program("get", "miniclusters", kubeconfig=str(path))
    assert listed.code == 0, listed
    assert "may not" in listed.out
