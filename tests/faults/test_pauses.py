"""A pause is whole or put back, and what others do to a queue meanwhile is noticed and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.flux.queue import Queue
from fluxstate_tui.operations.base import News, OperationKind, Outcome, OutcomeKind, StepEvent
from fluxstate_tui.operations.registry import prepare
from tests.faults.at_step import when_done
from tests.faults.stage import ANY, Stage

STOP = "queue-start"  # the topic of the request that stops


async def queue_of(stage: Stage) -> Queue:
    world = await MiniClusterClient.open(stage.context, ANY)
    try:
        (queue,) = await world.queues()
    finally:
        await world.close()
    return queue


async def until(stage: Stage, condition: Callable[[Job], bool]) -> None:
    """Wait until it holds for every job."""
    while not all(map(condition, (await stage.jobs()).values())):
        await stage.sim.clock.sleep(0.5)


async def save_that_waits(
    stage: Stage, meanwhile: Awaitable[object], told: list[StepEvent]
) -> Outcome:
    """A save that has to wait for a job until something else was done."""
    job = await stage.submit("sleep", "100000")
    operation = await prepare(OperationKind.SAVE, stage.context, await stage.ref())
    waiting = asyncio.Event()

    def watch(event: StepEvent) -> None:
        told.append(event)
        if event.step == "wait" and "1 running" in event.read_back:
            waiting.set()

    running = asyncio.create_task(operation.run(watch))
    await waiting.wait()
    await meanwhile
    await stage.flux("cancel", str(job))
    return await running


async def test_a_pause_that_is_cancelled_on_its_way_is_put_back(stage: Stage) -> None:
    operation = await prepare(OperationKind.PAUSE, stage.context, await stage.ref())

    async def cancel_at(method: str, said: str) -> None:
        if STOP in said:
            operation.cancel()

    stage.sim.faults.gate = cancel_at
    outcome = await operation.run(stage.seen.append)
    stage.sim.faults.gate = None
    assert outcome.kind is OutcomeKind.CANCELLED
    assert (await queue_of(stage)).started
    assert any(event.news is News.PUT_BACK for event in stage.seen)


@pytest.mark.parametrize("reason", ["maintenance", ""])
async def test_what_somebody_else_stopped_for_a_reason_meanwhile_stays_stopped(
    stage: Stage, reason: str
) -> None:
    words = ["queue", "stop", *(["-m", reason] if reason else [])]
    told: list[StepEvent] = []
    outcome = await save_that_waits(stage, stage.flux(*words), told)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    queue = await queue_of(stage)
    assert (queue.started, queue.stop_reason) == ((False, reason) if reason else (True, ""))
    assert (f"stays stopped: {reason}" in told[-1].read_back) is bool(reason)


async def test_an_archive_in_which_jobs_run_is_never_called_idle(stage: Stage) -> None:
    await stage.flux("queue", "stop")
    await stage.submit("sleep", "100000")
    operation = await prepare(OperationKind.SAVE, stage.context, await stage.ref())

    async def start_it(step: str) -> None:
        if step == "commit":
            await stage.flux("queue", "start")
            await until(stage, lambda job: job.state is JobState.RUN)

    outcome = await when_done(operation, start_it, stage.seen)
    assert outcome.kind is OutcomeKind.FAILED, outcome
    assert "did somebody start the queue" in outcome.reason
    assert stage.files() == {}


async def test_a_queue_that_is_started_meanwhile_keeps_no_save_waiting_for_ever(
    stage: Stage,
) -> None:
    """A job that cannot be scheduled keeps a request outstanding as long as its queue goes on."""
    await stage.flux("resource", "drain", "1")
    await stage.submit("-N2", "true")
    operation = await prepare(OperationKind.SAVE, stage.context, await stage.ref())

    async def start_it(step: str) -> None:
        if step == "pause":
            await stage.flux("queue", "start")

    async with asyncio.timeout(60):
        outcome = await when_done(operation, start_it, stage.seen)
    assert outcome.kind is OutcomeKind.FAILED, outcome
    assert "the scheduler still works on 1 request" in outcome.reason
    assert stage.files() == {}


async def test_a_queue_that_was_stopped_before_is_not_said_to_be_started_again(
    stage: Stage,
) -> None:
    await stage.flux("queue", "stop", "-m", "maintenance")
    operation = await prepare(OperationKind.SAVE, stage.context, await stage.ref())

    async def stop(step: str) -> None:
        if step == "dump":
            operation.cancel()

    outcome = await when_done(operation, stop, stage.seen)
    assert outcome.kind is OutcomeKind.CANCELLED
    assert not any("started again" in event.read_back for event in stage.seen)
    assert (await queue_of(stage)).stop_reason == "maintenance"
