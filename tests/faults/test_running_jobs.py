"""Jobs that run when a MiniCluster is deleted are lost only by those who said so."""

from __future__ import annotations

import asyncio

from fluxstate_tui.errors import ExitCode
from fluxstate_tui.operations.base import Choices, OperationKind, OutcomeKind, Running, StepEvent
from fluxstate_tui.operations.queue_control import CHECKPOINT_SECONDS
from fluxstate_tui.operations.registry import prepare
from tests.faults.stage import NAME, NAMESPACE, Stage


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
        OperationKind.SAVE, stage.context, await stage.ref(), Choices(running=Running.CANCEL)
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


async def test_a_lead_that_dies_while_a_save_waits_loses_no_job_that_the_plan_counted(
    stage: Stage,
) -> None:
    runs = await stage.submit("sleep", "100000")
    waiting = [await stage.submit("--urgency=hold", "true") for _ in range(8)]
    operation = await prepare(OperationKind.SAVE, stage.context, await stage.ref(), Choices())
    later: list[int] = []

    async def submit_and_kill() -> None:
        later.append(await stage.submit("--urgency=hold", "true"))
        before = stage.sim.clock.now()
        while stage.sim.clock.now() < before + 3 * CHECKPOINT_SECONDS:
            await stage.sim.clock.sleep(0.5)
        await stage.sim.faults.do("kill-lead", namespace=NAMESPACE, minicluster=NAME)

    killing: list[asyncio.Task[None]] = []

    def kill(event: StepEvent) -> None:
        if event.step == "wait" and " running (" in event.read_back and not killing:
            killing.append(asyncio.create_task(submit_and_kill()))

    outcome = await operation.run(kill)
    await killing[0]
    assert outcome.kind is not OutcomeKind.COMPLETED, outcome
    await stage.answers()
    assert {runs, *waiting, *later} <= set(await stage.jobs())
