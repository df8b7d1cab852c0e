"""What goes wrong around an operation: no job is lost, no queue stays stopped unnoticed."""

from __future__ import annotations

import asyncio

import pytest

from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.operations.base import (
    Choices,
    OperationKind,
    OutcomeKind,
    Running,
    StepEvent,
    StepState,
)
from fluxstate_tui.operations.registry import prepare
from fluxstate_tui.sim.api.kinds import PODS
from fluxstate_tui.sim.flux import startup
from tests.faults.stage import NAME, NAMESPACE, Stage


async def test_a_dump_that_fails_leaves_no_trace_and_the_queue_goes_on(stage: Stage) -> None:
    await stage.submit("true")
    await stage.well("save")
    good = stage.files()
    await stage.sim.faults.do(
        "fail-dump", namespace=NAMESPACE, minicluster=NAME, message="flux-dump: Write error"
    )
    outcome = await stage.do("save")
    assert outcome.kind is OutcomeKind.FAILED
    assert "Write error" in outcome.reason
    assert stage.files() == good
    assert await stage.started()


async def test_a_volume_that_is_full_is_refused_before_the_queue_is_touched(stage: Stage) -> None:
    await stage.submit("true")
    await stage.well("save")
    good = stage.files()
    await stage.sim.faults.do("fill-disk", path="/data", free=1000)
    with pytest.raises(FluxstateError, match="bytes free"):
        await stage.do("save")
    assert stage.files() == good
    assert await stage.started()


async def test_a_volume_that_fills_up_during_the_dump_leaves_the_good_archives(
    stage: Stage,
) -> None:
    await stage.submit("true")
    await stage.well("save")
    good = stage.files()

    def fill(event: StepEvent) -> None:
        if event.step == "commit" and event.state is StepState.DONE:
            volume = stage.sim.state.volumes.host_path("/data")
            volume.capacity = volume.used + 300

    operation = await prepare(OperationKind.SAVE, stage.context, await stage.ref())
    outcome = await operation.run(fill)
    assert outcome.kind is OutcomeKind.FAILED, outcome
    assert "bytes are free on the volume" in outcome.reason
    assert stage.files() == good
    assert await stage.started()


async def test_a_lead_container_that_dies_while_we_wait_is_noticed(stage: Stage) -> None:
    await stage.submit("sleep", "600")
    kills: list[asyncio.Task[None]] = []

    def kill(event: StepEvent) -> None:
        if event.step == "wait" and "running" in event.read_back and not kills:
            kills.append(
                asyncio.create_task(
                    stage.sim.faults.do("kill-lead", namespace=NAMESPACE, minicluster=NAME)
                )
            )

    operation = await prepare(OperationKind.SAVE, stage.context, await stage.ref())
    outcome = await operation.run(kill)
    await asyncio.gather(*kills)
    assert outcome.kind is OutcomeKind.FAILED, outcome
    assert "restarted" in outcome.reason
    assert stage.finished() == {}
    await stage.up()
    assert await stage.started()


async def test_a_lead_container_that_dies_while_it_dumps_and_takes_long_to_come_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.submit("true")
    monkeypatch.setattr(startup, "RC1_SECONDS", 25.0)  # as with thousands of jobs to load
    kills: list[asyncio.Task[None]] = []

    def kill(event: StepEvent) -> None:
        if event.step == "dump" and event.state is StepState.RUNNING and not kills:
            kills.append(
                asyncio.create_task(
                    stage.sim.faults.do("kill-lead", namespace=NAMESPACE, minicluster=NAME)
                )
            )

    operation = await prepare(OperationKind.SAVE, stage.context, await stage.ref())
    outcome = await operation.run(kill)
    await asyncio.gather(*kills)
    assert outcome.kind is OutcomeKind.FAILED, outcome
    assert "NOT put back" not in outcome.reason
    assert (stage.files(), stage.unfinished()) == ({}, [])
    assert await stage.started()


async def test_a_lead_pod_that_is_evicted_took_its_queue_along_and_that_is_said(
    stage: Stage,
) -> None:
    await stage.submit("sleep", "600")
    kills: list[asyncio.Task[object]] = []

    def evict(event: StepEvent) -> None:
        if event.step == "wait" and "running" in event.read_back and not kills:
            lead = next(
                pod
                for pod in stage.sim.state.store.objects(PODS, NAMESPACE)
                if pod["metadata"]["name"].startswith(f"{NAME}-0-")
            )
            name = lead["metadata"]["name"]
            kills.append(
                asyncio.create_task(stage.sim.faults.do("evict-pod", namespace=NAMESPACE, pod=name))
            )

    operation = await prepare(OperationKind.SAVE, stage.context, await stage.ref())
    outcome = await operation.run(evict)
    await asyncio.gather(*kills)
    assert outcome.kind is OutcomeKind.FAILED, outcome
    assert "was replaced" in outcome.reason
    assert "checkpoint" not in outcome.safe
    assert stage.files() == {}


async def test_cancelling_while_jobs_run_puts_the_queue_back(stage: Stage) -> None:
    await stage.submit("sleep", "600")
    waiting = asyncio.Event()

    def watch(event: StepEvent) -> None:
        if event.step == "wait" and "1 running" in event.read_back:
            waiting.set()

    operation = await prepare(OperationKind.SAVE, stage.context, await stage.ref())
    running = asyncio.create_task(operation.run(watch))
    await waiting.wait()
    assert not await stage.started()
    operation.cancel()
    outcome = await running
    assert outcome.kind is OutcomeKind.CANCELLED
    assert await stage.started()
    assert stage.files() == {}


async def test_waiting_has_an_end_when_one_is_wanted(stage: Stage) -> None:
    await stage.submit("sleep", "600")
    choices = Choices(running=Running.WAIT_AT_MOST, wait_seconds=20)
    outcome = await stage.do("save", choices)
    assert outcome.kind is OutcomeKind.FAILED
    assert "still run" in outcome.reason
    assert await stage.started()
    assert len(await stage.jobs()) == 1


async def test_running_jobs_can_be_cancelled_or_left(stage: Stage) -> None:
    job = await stage.submit("sleep", "600")
    left = await stage.do("save", Choices(running=Running.LEAVE))
    assert left.kind is OutcomeKind.COMPLETED
    assert stage.archived() == [{job}]
    # Of the job that ran, that archive has no result: a yes is not enough.
    refused = await prepare(OperationKind.DELETE, stage.context, await stage.ref())
    assert refused.plan.consent.loses == 1
    assert (await refused.run(lambda event: None)).exit_code == ExitCode.REFUSED
    cancelled = await stage.do("save", Choices(running=Running.CANCEL), NAME)
    assert cancelled.kind is OutcomeKind.COMPLETED, cancelled
    assert (await stage.jobs())[job].status == "CANCELED"


async def test_a_second_operator_is_told_who_works(stage: Stage) -> None:
    await stage.submit("sleep", "600")
    first = await prepare(OperationKind.SAVE, stage.context, await stage.ref())
    waiting = asyncio.Event()
    running = asyncio.create_task(
        first.run(lambda event: waiting.set() if event.step == "wait" else None)
    )
    await waiting.wait()
    second = await stage.do("pause")
    assert second.exit_code == ExitCode.LOCKED
    assert "me@test" in second.reason
    first.cancel()
    await running
    assert await stage.started()
