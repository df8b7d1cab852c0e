"""Jobs that run when a MiniCluster is deleted are lost only by those who said so."""

from __future__ import annotations

from fluxstate_tui.exits import ExitCode
from fluxstate_tui.operations.choices import Choices, Running
from fluxstate_tui.operations.plan import OutcomeKind
from tests.faults.stage import NAME, Stage


async def test_leaving_them_running_deletes_what_was_typed_and_no_more(stage: Stage) -> None:
    runs = await stage.submit("sleep", "3600")
    done = await stage.submit("true")
    choices = Choices(Running.LEAVE, save_first=True)
    refused = await stage.do("delete", choices, "yes")
    assert refused.exit_code == ExitCode.REFUSED
    assert (await stage.jobs())[runs].state.running
    outcome = await stage.do("delete", choices, NAME)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    assert "would run again or fail: 1 running" in outcome.reason
    assert stage.archived() == [{runs, done}]
