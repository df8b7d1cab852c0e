"""A migration: every job is on one side or the other at every moment, and runs once."""

from __future__ import annotations

from typing import Any

import pytest

from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.broker.commands import run_flux
from fluxstate_tui.broker.locate import locate
from fluxstate_tui.broker.objects import read_minicluster
from fluxstate_tui.catalog.local_copies import newest_copy
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.kube.errors import NotFound
from fluxstate_tui.kube.objects import PODS
from fluxstate_tui.minicluster.minicluster import ClusterRef, MiniCluster
from fluxstate_tui.operations.base import (
    Choices,
    ConsentKind,
    OperationKind,
    Outcome,
    OutcomeKind,
    StepEvent,
    StepState,
)
from fluxstate_tui.operations.registry import prepare
from tests.faults.stage import ANY, NAME, NAMESPACE, Stage

NEW = ClusterRef(NAMESPACE, "bigger", "")
BESIDE = Choices(to_name=NEW.name, size=3)


async def found(stage: Stage, ref: ClusterRef) -> MiniCluster | None:
    try:
        return await read_minicluster(stage.context, ref)
    except NotFound:
        return None


async def jobs_of(stage: Stage, ref: ClusterRef) -> dict[int, Job]:
    world = await MiniClusterClient.open(stage.context, ref)
    try:
        return {job.id: job for job in await world.jobs()}
    finally:
        await world.close()


async def queue_of(stage: Stage, ref: ClusterRef) -> str:
    mini = await read_minicluster(stage.context, ref)
    cluster = stage.context.cluster
    return await run_flux(cluster, await locate(cluster, mini), ["queue", "status"])


def runs(status: str) -> bool:
    return "Scheduling is started" in status and "submission is enabled" in status


async def some_jobs(stage: Stage) -> set[int]:
    """One that is done, one that waits for ever, being held."""
    return {await stage.submit("true"), await stage.submit("--urgency=0", "true")}


async def migrate(stage: Stage, choices: Choices, typed: str = "") -> Outcome:
    return await stage.do("migrate", choices, typed)


async def helper_pods(stage: Stage) -> list[str]:
    pods = await stage.context.cluster.list(PODS, NAMESPACE)
    names = [pod["metadata"]["name"] for pod in pods]
    return [name for name in names if name.startswith("fluxstate-")]


async def test_it_arrives_under_another_name_and_size_with_every_job(stage: Stage) -> None:
    jobs = await some_jobs(stage)
    outcome = await migrate(stage, BESIDE)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    assert await found(stage, ANY) is None
    new = await found(stage, NEW)
    assert new is not None
    assert new.size == 3
    assert jobs == (await jobs_of(stage, NEW)).keys()
    assert runs(await queue_of(stage, NEW))
    assert stage.unfinished() == []
    assert await helper_pods(stage) == []
    assert stage.volume.listdir("/") == ["fluxstate"]  # nothing is armed anywhere


async def test_a_job_that_waited_runs_once_and_on_the_new_side_only(stage: Stage) -> None:
    blocker = await stage.submit("-N2", "sleep", "120")
    waiting = await stage.submit("-N2", "sleep", "1")
    outcome = await migrate(stage, BESIDE)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    opened = next(e.at for e in stage.seen if e.step == "open" and e.state is StepState.DONE)
    gone = next(e.at for e in stage.seen if e.step == "delete" and e.state is StepState.DONE)
    while (job := (await jobs_of(stage, NEW))[waiting]).state is not JobState.INACTIVE:
        await stage.sim.clock.sleep(0.5)
    assert job.status == "COMPLETED"
    assert (await jobs_of(stage, NEW))[blocker].status == "COMPLETED"
    assert gone <= opened
    assert (job.t_run or 0.0) >= gone  # it never ran while the old one was there


async def test_under_the_same_name_it_gets_another_size_and_image(stage: Stage) -> None:
    jobs = await some_jobs(stage)
    before = await stage.ref()
    outcome = await migrate(stage, Choices(size=4, image="rockylinux:9.4"))
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    after = await read_minicluster(stage.context, ANY)
    assert after.ref.uid != before.uid
    assert after.size == 4
    assert after.raw["spec"]["containers"][0]["image"] == "rockylinux:9.4"
    assert jobs == (await stage.jobs()).keys()
    assert runs(await stage.flux("queue", "status"))
    assert not stage.armed()


@pytest.mark.parametrize("choices", [BESIDE, Choices(size=3)], ids=["beside", "same name"])
async def test_a_paused_queue_arrives_paused(stage: Stage, choices: Choices) -> None:
    await stage.well("pause")
    job = await stage.submit("true")
    outcome = await migrate(stage, choices)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    new = NEW if choices.to_name else ANY
    assert "stopped, as it was" in outcome.reason
    assert "Scheduling is stopped" in await queue_of(stage, new)
    assert (await jobs_of(stage, new))[job].state is JobState.SCHED


async def test_a_paused_queue_is_never_left_refusing_jobs(stage: Stage) -> None:
    await stage.well("pause")
    operation = await prepare(OperationKind.MIGRATE, stage.context, await stage.ref(), BESIDE)

    def stop(event: StepEvent) -> None:
        if event.step == "open":
            operation.cancel()

    outcome = await operation.run(stop)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome  # it was too late to stop it
    status = await queue_of(stage, NEW)
    assert "submission is enabled" in status
    assert "Scheduling is stopped" in status


async def test_saying_no_changes_nothing_and_the_preview_says_what_comes(stage: Stage) -> None:
    await stage.submit("true")
    operation = await prepare(OperationKind.MIGRATE, stage.context, await stage.ref(), BESIDE)
    assert operation.plan.consent.kind is ConsentKind.CONFIRM
    assert any("deleted only when every job" in line for line in operation.plan.preview)
    await operation.close()
    assert await found(stage, NEW) is None
    assert runs(await stage.flux("queue", "status"))


async def test_jobs_that_never_fit_must_be_agreed_to_by_typing_the_name(stage: Stage) -> None:
    await stage.well("pause")
    wide = await stage.submit("-N2", "true")
    smaller = Choices(to_name=NEW.name, size=1)
    operation = await prepare(OperationKind.MIGRATE, stage.context, await stage.ref(), smaller)
    assert operation.plan.consent.kind is ConsentKind.TYPE_NAME
    assert any("LOST: 1 job that need more nodes" in line for line in operation.plan.preview)
    refused = await operation.run(stage.seen.append, "yes")
    assert refused.exit_code == ExitCode.REFUSED
    outcome = await migrate(stage, smaller, NAME)
    assert outcome.kind is OutcomeKind.PARTIALLY_FAILED, outcome
    assert wide in await jobs_of(stage, NEW)


async def test_a_job_that_comes_too_late_to_be_agreed_to_stops_it(stage: Stage) -> None:
    await stage.well("pause")
    smaller = Choices(to_name=NEW.name, size=1)
    operation = await prepare(OperationKind.MIGRATE, stage.context, await stage.ref(), smaller)
    wide = await stage.submit("-N2", "true")
    outcome = await operation.run(stage.seen.append)
    assert outcome.exit_code == ExitCode.REFUSED, outcome
    assert (await stage.jobs())[wide].state is JobState.SCHED
    assert "submission is enabled" in await stage.flux("queue", "status")
    assert await found(stage, NEW) is None


async def test_a_name_that_is_taken_is_said_before_anything_is_done(stage: Stage) -> None:
    with pytest.raises(FluxstateError) as caught:
        resource = await stage.context.cluster.minicluster_resource()
        body: dict[str, Any] = (await read_minicluster(stage.context, ANY)).raw
        other = {**body, "metadata": {"name": NEW.name, "namespace": NAMESPACE}}
        other["spec"] = {**body["spec"], "archive": {"path": "/state/other.tar.gz"}}
        await stage.context.cluster.create(resource, other, NAMESPACE)
        await migrate(stage, BESIDE)
    assert caught.value.exit_code is ExitCode.REFUSED
    assert runs(await stage.flux("queue", "status"))


async def judge(stage: Stage, jobs: set[int], outcome: Outcome | None, where: object) -> bool:
    """Whatever happened: all jobs on one side, and that side's queue goes on. True = arrived."""
    old, new = await found(stage, ANY), await found(stage, NEW)
    assert (old is None) != (new is None), (where, outcome)
    side = ANY if old is not None else NEW
    assert jobs <= (await jobs_of(stage, side)).keys(), (where, outcome)
    assert runs(await queue_of(stage, side)), (where, outcome)
    assert stage.unfinished() == [], (where, outcome)
    assert set(stage.volume.listdir("/")) <= {"fluxstate"}, (where, outcome)
    assert await helper_pods(stage) == [], (where, outcome)
    return new is not None


@pytest.mark.parametrize("step", ["create", "start", "delete", "open", "gone"])
async def test_cancelled_at_any_step_every_job_is_on_one_side_that_goes_on(
    stage: Stage, step: str
) -> None:
    jobs = await some_jobs(stage)
    operation = await prepare(OperationKind.MIGRATE, stage.context, await stage.ref(), BESIDE)

    def stop(event: StepEvent) -> None:
        if event.step == step:
            operation.cancel()

    outcome = await operation.run(stop)
    arrived = await judge(stage, jobs, outcome, step)
    late = step in ("open", "gone")
    assert arrived == late, outcome
    assert outcome.kind is (OutcomeKind.COMPLETED if late else OutcomeKind.CANCELLED), outcome


@pytest.mark.parametrize("removed", [False, True])
async def test_an_archive_that_rots_once_the_old_one_is_gone_costs_no_job(
    stage: Stage, removed: bool
) -> None:
    jobs = await some_jobs(stage)
    operation = await prepare(
        OperationKind.MIGRATE, stage.context, await stage.ref(), Choices(size=3)
    )

    def rot(event: StepEvent) -> None:
        if event.step == "arm" and event.state is StepState.RUNNING and not event.read_back:
            [path] = [f"/fluxstate/{name}" for name in stage.finished() if name.endswith(".gz")]
            data = bytearray(stage.volume.read(path))
            data[len(data) // 2] ^= 1
            stage.volume.unlink(path)
            if not removed:
                stage.volume.write(path, bytes(data))

    outcome = await operation.run(rot)
    assert outcome.kind is OutcomeKind.FAILED, outcome
    assert ("does not exist" if removed else "reads back differently") in outcome.reason
    assert not await judge(stage, jobs, outcome, "arm")
    assert (await read_minicluster(stage.context, ANY)).size == 2
    archives = [name for name in stage.finished() if name.endswith(".gz")]
    assert len(archives) == (1 if removed else 2), "a sound one is there, beside a damaged one"
    assert newest_copy(stage.context.state_dir, ANY) is not None


@pytest.mark.parametrize("step", ["account", "agree"])
async def test_the_old_one_stays_when_a_job_is_missing_in_the_new_one(
    stage: Stage, step: str
) -> None:
    jobs = await some_jobs(stage)
    operation = await prepare(OperationKind.MIGRATE, stage.context, await stage.ref(), BESIDE)

    def lose_one(event: StepEvent) -> None:
        if event.step == step and event.state is StepState.RUNNING:
            arrived = stage.sim.state.instance(NAMESPACE, NEW.name)
            assert arrived is not None
            arrived.jobs.active.pop(max(jobs), None)

    outcome = await operation.run(lose_one)
    assert outcome.kind is OutcomeKind.FAILED, outcome
    assert outcome.exit_code == ExitCode.VERIFICATION
    assert not await judge(stage, jobs, outcome, step)
