"""A restore that fails leaves the archive untouched and nothing armed unnoticed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from fluxstate_tui.broker.broker import Checkpoints, SessionCheckpoints
from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.flux.job import JobState
from fluxstate_tui.kube.errors import NotFound
from fluxstate_tui.kube.objects import PODS
from fluxstate_tui.live.guard import Guard, GuardState
from fluxstate_tui.operations.base import (
    Choices,
    News,
    OperationKind,
    OutcomeKind,
    StepEvent,
    StepState,
)
from fluxstate_tui.operations.registry import prepare
from fluxstate_tui.sim.worlds.manifests import tutorial_minicluster
from tests.faults.at_step import when_done
from tests.faults.stage import ANY, NAME, NAMESPACE, Stage, agreed


async def saved_and_deleted(stage: Stage) -> set[int]:
    jobs = {await stage.submit("true")}
    await stage.well("pause")
    jobs.add(await stage.submit("sleep", "2"))
    await stage.well("delete", Choices(save_first=True))
    return jobs


async def helper_pods(stage: Stage) -> list[str]:
    pods = await stage.context.cluster.list(PODS, NAMESPACE)
    names = [pod["metadata"]["name"] for pod in pods]
    return [name for name in names if name.startswith("fluxstate-")]


async def test_a_living_minicluster_is_never_restored_over(stage: Stage) -> None:
    await stage.submit("true")
    await stage.well("save")
    with pytest.raises(FluxstateError) as caught:
        await stage.do("restore")
    assert caught.value.exit_code is ExitCode.REFUSED


async def test_saying_no_leaves_no_helper_pod(stage: Stage) -> None:
    await saved_and_deleted(stage)
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())
    assert await helper_pods(stage)
    await operation.close()
    assert await helper_pods(stage) == []
    assert not stage.armed()


@pytest.mark.parametrize("late", [False, True])
async def test_a_preview_may_be_looked_at_for_longer_than_the_helper_pod_lives(
    stage: Stage, late: bool
) -> None:
    """It ends before the first step, or with the archive armed by it."""
    jobs = await saved_and_deleted(stage)
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())

    async def end_it(step: str) -> None:
        (name,) = await helper_pods(stage)
        await stage.context.cluster.delete(PODS, name, NAMESPACE)
        while await helper_pods(stage):
            await stage.sim.clock.sleep(0.5)

    async def end_it_armed(step: str) -> None:
        if step == "arm":
            await end_it(step)
            raise FluxstateError("a stone")

    if late:
        outcome = await when_done(operation, end_it_armed)
        assert "a stone" in outcome.reason
        assert "NOT put back" not in outcome.reason
        assert not stage.armed()
    else:
        await end_it("")
        outcome = await operation.run(stage.seen.append)
        assert outcome.kind is OutcomeKind.COMPLETED, outcome
        assert jobs <= (await stage.jobs()).keys()
    assert await helper_pods(stage) == []


@pytest.mark.parametrize("code", [409, 410])
async def test_a_conflict_does_not_leave_the_helper_pod_behind(stage: Stage, code: int) -> None:
    await saved_and_deleted(stage)
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())
    stage.sim.faults.add("status", method="DELETE", path="pods/", code=code)
    await operation.close()
    assert await helper_pods(stage) == []


async def test_a_helper_pod_that_cannot_be_removed_is_told(stage: Stage) -> None:
    await saved_and_deleted(stage)
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())

    def stop(event: StepEvent) -> None:
        if event.step == "arm":
            stage.sim.faults.add("drop", method="DELETE", path="pods/", count=-1)
            operation.cancel()

    outcome = await operation.run(stop)
    assert outcome.kind is OutcomeKind.CANCELLED
    assert "Not tidied up" in outcome.advice


async def test_an_archive_damaged_on_disk_is_not_restored(stage: Stage) -> None:
    await saved_and_deleted(stage)
    (name,) = [name for name in stage.finished() if name.endswith(".tar.gz")]
    data = stage.volume.read(f"/fluxstate/{name}")
    stage.volume.write(f"/fluxstate/{name}", data[: len(data) // 2])
    with pytest.raises(FluxstateError):
        await stage.do("restore", Choices(archive=name.removesuffix(".tar.gz")))
    assert await helper_pods(stage) == []
    assert not stage.armed()


async def test_a_foreign_archive_that_is_armed_is_kept_not_restored(stage: Stage) -> None:
    jobs = await saved_and_deleted(stage)
    stage.volume.write("/archive.tar.gz", b"left by somebody else")
    await stage.well("restore")
    assert jobs <= (await stage.jobs()).keys()
    kept = [stage.volume.read(f"/fluxstate/{name}") for name in stage.finished()]
    assert b"left by somebody else" in kept


async def test_cancelled_before_the_lead_ran_it_leaves_nothing_behind(stage: Stage) -> None:
    jobs = await saved_and_deleted(stage)
    good = stage.finished()
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())
    created = asyncio.Event()
    running = asyncio.create_task(
        operation.run(lambda event: created.set() if event.step == "start" else None)
    )
    await created.wait()
    operation.cancel()
    outcome = await running
    assert outcome.kind is OutcomeKind.CANCELLED, outcome
    assert not stage.armed()
    assert stage.finished() == good
    assert stage.unfinished() == []
    await stage.well("restore")
    assert jobs <= (await stage.jobs()).keys()


async def test_a_broker_that_cannot_start_is_said_and_disarmed(stage: Stage) -> None:
    await saved_and_deleted(stage)
    good = stage.finished()

    def damage(event: StepEvent) -> None:
        # The copy that is armed goes bad between its last look and the lead's start.
        if event.step == "create" and event.state is StepState.DONE:
            data = stage.volume.read("/archive.tar.gz")
            stage.volume.write("/archive.tar.gz", data[: len(data) // 2])

    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())
    outcome = await operation.run(damage)
    assert outcome.kind is OutcomeKind.FAILED, outcome
    assert "truncated" in outcome.reason
    assert stage.finished() == good


async def test_a_smaller_size_says_which_jobs_are_refused(stage: Stage) -> None:
    await stage.well("pause")
    wide = await stage.submit("-N2", "true")
    await stage.well("delete", Choices(save_first=True))
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, agreed(Choices(size=1)))
    assert any("can never fit" in line for line in operation.plan.preview)
    outcome = await operation.run(stage.seen.append)
    assert outcome.kind is OutcomeKind.PARTIALLY_FAILED, outcome
    assert "1 refused" in outcome.reason
    assert "0 lost" in outcome.reason
    assert (await stage.jobs())[wide].state is JobState.INACTIVE


async def test_a_lead_container_that_dies_after_a_restore_loses_nothing_and_runs_nothing_twice(
    stage: Stage,
) -> None:
    await saved_and_deleted(stage)
    await stage.well("restore")
    await stage.flux("queue", "idle")
    await stage.submit("true")
    await stage.flux("queue", "idle")

    made = asyncio.Event()

    def told(state: GuardState) -> None:
        if state.last is not None:
            made.set()

    world = await MiniClusterClient.open(stage.context, ANY)

    def checkpoints() -> Checkpoints | None:
        session = world.session()
        return SessionCheckpoints(session) if session is not None else None

    watching = asyncio.create_task(Guard(stage.context.clock, checkpoints, told).run())
    await made.wait()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    before = await stage.jobs()
    await world.close()

    await stage.sim.faults.do("kill-lead", namespace=NAMESPACE, minicluster=NAME)
    await stage.restarted()
    after = await stage.jobs()
    assert {job.id: job.t_run for job in after.values()} == {
        job.id: job.t_run for job in before.values()
    }


CREATE = "miniclusters$"  # the path of the request that creates one (the dry run's is longer)


async def at_create(stage: Stage, then: Callable[[], Awaitable[None]]) -> None:
    """`then` is awaited once the request that creates it is on its way."""

    async def gate(method: str, path: str) -> None:
        if method == "POST" and path.endswith("/miniclusters"):
            stage.sim.faults.gate = None
            await then()

    stage.sim.faults.gate = gate


async def test_cancelled_while_it_is_created_it_does_not_stay_behind_unnoticed(
    stage: Stage,
) -> None:
    await saved_and_deleted(stage)
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())

    async def cancel() -> None:
        operation.cancel()

    await at_create(stage, cancel)
    outcome = await operation.run(stage.seen.append)
    assert outcome.kind is OutcomeKind.CANCELLED, outcome
    assert not stage.armed()
    assert await helper_pods(stage) == []
    with pytest.raises(NotFound):
        await stage.ref()


async def test_an_api_server_that_fails_once_does_not_end_a_restore(stage: Stage) -> None:
    jobs = await saved_and_deleted(stage)
    stage.sim.faults.add("status", method="POST", path=CREATE, code=500)
    await stage.well("restore")
    assert jobs <= (await stage.jobs()).keys()


async def test_what_others_created_meanwhile_is_never_taken_for_ours(stage: Stage) -> None:
    await saved_and_deleted(stage)
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())
    cluster = stage.context.cluster
    resource = await cluster.minicluster_resource()
    theirs: list[str] = []

    async def overtake() -> None:
        body = tutorial_minicluster(stage.sim.state.flavour, NAME, 2)
        created = await cluster.create(resource, body, NAMESPACE)
        theirs.append(created["metadata"]["uid"])

    await at_create(stage, overtake)
    stage.sim.faults.add("drop", method="POST", path=CREATE, skip=1)
    outcome = await operation.run(stage.seen.append)
    assert outcome.kind is OutcomeKind.FAILED, outcome
    assert "somebody else created" in outcome.reason
    assert [(await stage.ref()).uid] == theirs


async def test_a_restore_that_is_cancelled_late_leaves_a_queue_that_survives_its_container(
    stage: Stage,
) -> None:
    await saved_and_deleted(stage)
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())

    async def finish_and_cancel(step: str) -> None:
        if step == "account":
            await stage.flux("queue", "idle")
            operation.cancel()

    outcome = await when_done(operation, finish_and_cancel, stage.seen)
    assert outcome.kind is OutcomeKind.CANCELLED, outcome
    assert not stage.armed()
    roll_back = " ".join(event.read_back for event in stage.seen if event.news is News.PUT_BACK)
    assert f"{NAMESPACE}/{NAME} stays" in roll_back
    before = {job.id: job.t_run for job in (await stage.jobs()).values()}
    await stage.sim.faults.do("kill-lead", namespace=NAMESPACE, minicluster=NAME)
    await stage.restarted()
    await stage.flux("queue", "idle")
    assert {job.id: job.t_run for job in (await stage.jobs()).values()} == before
