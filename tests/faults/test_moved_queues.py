"""No job slips in on either side of a migration, and what did is never thrown away."""

from __future__ import annotations

import pytest

from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.broker.submit import SubmitOptions
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import OperationKind, OutcomeKind, StepEvent, StepState
from fluxstate_tui.operations.registry import prepare
from tests.faults.at_step import when_done
from tests.faults.stage import ANY, Stage
from tests.faults.test_migrations import BESIDE, NEW, found, jobs_of, queue_of, runs, some_jobs

JOB = SubmitOptions(command=("true",))


async def try_to_submit(stage: Stage, ref: ClusterRef) -> str:
    """What a user is told, '' when the job was taken."""
    world = await MiniClusterClient.open(stage.context, ref)
    try:
        await world.submit(JOB)
        return ""
    except FluxstateError as error:
        return error.message
    finally:
        await world.close()


async def test_from_the_dump_to_the_delete_both_sides_refuse_jobs_and_say_why(
    stage: Stage,
) -> None:
    jobs = await some_jobs(stage)
    operation = await prepare(OperationKind.MIGRATE, stage.context, await stage.ref(), BESIDE)
    said: list[str] = []

    async def users(step: str) -> None:
        if step in ("close", "checkpoint"):
            said.append(await try_to_submit(stage, ANY if step == "close" else NEW))

    outcome = await when_done(operation, users)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    assert len(said) == 2
    assert all("migrating to default/bigger by me@test" in words for words in said), said
    assert await try_to_submit(stage, NEW) == ""
    assert len(await jobs_of(stage, NEW)) == len(jobs) + 1

    # And it stays open when its container dies: nothing of the pause is left in its KVS.
    await stage.sim.faults.do("kill-lead", namespace=NEW.namespace, minicluster=NEW.name)
    while stage.sim.state.instance(NEW.namespace, NEW.name) is not None:
        await stage.sim.clock.sleep(0.5)
    await stage.up(NEW)
    assert runs(await queue_of(stage, NEW))


async def test_what_somebody_let_in_there_is_saved_when_the_migration_is_undone(
    stage: Stage,
) -> None:
    await stage.well("pause")
    jobs = {await stage.submit("true")}
    operation = await prepare(OperationKind.MIGRATE, stage.context, await stage.ref(), BESIDE)
    told: list[StepEvent] = []

    async def somebody(step: str) -> None:
        if step != "checkpoint":
            return
        world = await MiniClusterClient.open(stage.context, NEW)
        await world.enable_queues([""])
        await world.submit(JOB)
        await world.start_queues([""])
        while (await world.counts())["inactive"] < 2:
            await stage.sim.clock.sleep(0.5)
        await world.close()
        operation.cancel()

    outcome = await when_done(operation, somebody, told)
    assert outcome.kind is OutcomeKind.CANCELLED, outcome
    assert await found(stage, NEW) is None
    assert (await stage.jobs()).keys() == jobs
    status = await stage.flux("queue", "status")
    assert "submission is enabled" in status
    assert "fluxstate: paused by me@test" in status
    assert max(map(len, stage.archived())) == len(jobs) + 1
    (kept,) = [event.read_back for event in told if "what was new there" in event.read_back]
    assert "run again here: 1 completed" in kept  # that is said
    assert stage.unfinished() == []


@pytest.mark.parametrize(
    "version",
    [
        "0.45.0",  # stop states are lost
        "0.66.0",  # its queue is said to be stopped, and its jobs run
    ],
)
async def test_a_flux_that_does_not_restore_stopped_queues_loses_nothing_either(
    stage: Stage, version: str
) -> None:
    jobs = await some_jobs(stage)
    stage.sim.state.kubelet.flux_version = version  # the new one's
    operation = await prepare(OperationKind.MIGRATE, stage.context, await stage.ref(), BESIDE)
    told: list[StepEvent] = []
    outcome = await operation.run(told.append)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    (start,) = (e for e in told if e.step == "start" and e.state is StepState.DONE)
    assert "came up started and is stopped now" in start.read_back
    assert await found(stage, ANY) is None
    assert (await jobs_of(stage, NEW)).keys() == jobs
    assert runs(await queue_of(stage, NEW))
