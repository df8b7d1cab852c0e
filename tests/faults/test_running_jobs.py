"""Jobs that run when a MiniCluster is deleted are lost only by those who said so."""

from __future__ import annotations

from fluxstate_tui.errors import ExitCode
from fluxstate_tui.operations.base import Choices, OutcomeKind, Running, StepEvent
from fluxstate_tui.operations.registry import prepare
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


async def test_a_job_that_began_after_the_question_is_not_cancelled_with_the_others(
    stage: Stage,
) -> None:
    agreed = await stage.submit("sleep", "100000")
    operation = await prepare(
        "save", stage.context, await stage.ref(), Choices(running=Running.CANCEL)
    )
    late = await stage.submit("sleep", "100000")
    while not (await stage.jobs())[late].state.running:
        await stage.sim.clock.sleep(0.5)

    def stop(event: StepEvent) -> None:
        if "1 began after you were asked" in event.read_back:
            operation.cancel()

    outcome = await operation.run(stop, NAME)
    assert outcome.kind is OutcomeKind.CANCELLED, outcome
    jobs = await stage.jobs()
    assert jobs[late].state.running
    assert jobs[agreed].status == "CANCELED"
