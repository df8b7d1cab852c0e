"""Several operations at once: one that breaks or is cancelled leaves the others as they are."""

from __future__ import annotations

import pytest

from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.errors import ExitCode
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import bulk
from fluxstate_tui.operations.base import Choices, OperationKind, OutcomeKind, StepEvent
from fluxstate_tui.operations.bulk import Bulk, Part
from fluxstate_tui.operations.restore.steps import bring_up
from fluxstate_tui.sim.worlds.manifests import minicluster
from tests.faults.stage import ANY, NAMESPACE, Stage

SECOND = ClusterRef(NAMESPACE, "second", "")


async def both(stage: Stage, kind: str, choices: Choices, limit: int) -> Bulk:
    resource = await stage.context.cluster.minicluster_resource()
    stage.volume.mkdir("/second")
    body = minicluster(SECOND.name, 1, archive={"path": "/state/second/archive.tar.gz"})
    await stage.context.cluster.create(resource, body, NAMESPACE)
    await (await bring_up(stage.context, SECOND, 300.0, lambda text: None)).close()
    return await bulk.prepare(
        OperationKind(kind), stage.context, (ANY, SECOND, ANY), choices, limit=limit
    )


async def starts(stage: Stage, ref: ClusterRef) -> bool:
    world = await MiniClusterClient.open(stage.context, ref)
    try:
        return all(queue.started and queue.enabled for queue in await world.queues())
    finally:
        await world.close()


@pytest.mark.parametrize("limit", [1, 2])
async def test_they_go_one_after_the_other_or_side_by_side(stage: Stage, limit: int) -> None:
    many = await both(stage, "save", Choices(), limit)
    assert [part.ref.name for part in many.parts] == ["flux-sample", "second"]  # each once
    order: list[str] = []

    def note(part: Part, event: StepEvent) -> None:
        if not order or order[-1] != part.ref.name:
            order.append(part.ref.name)

    def break_off(part: Part) -> None:
        raise OSError("nobody sees the end of it")

    worst = await many.run(note, break_off)
    assert worst.kind is OutcomeKind.COMPLETED, worst
    assert (len(order) == 2) == (limit == 1), order


async def test_a_cancel_puts_back_what_runs_and_begins_no_other(stage: Stage) -> None:
    job = await stage.submit("true")
    many = await both(stage, "delete", Choices(save_first=True), 1)

    def stop(part: Part, event: StepEvent) -> None:
        if event.step == "compare":
            many.cancel()

    worst = await many.run(stop)
    assert worst.kind is OutcomeKind.CANCELLED
    assert worst.exit_code == ExitCode.INTERRUPTED
    assert [part.outcome and part.outcome.kind for part in many.parts] == [worst.kind] * 2
    assert await starts(stage, ANY)
    assert await starts(stage, SECOND)
    assert job in await stage.jobs()
    assert stage.unfinished() == []


async def test_the_worst_outcome_is_the_one_that_counts(stage: Stage) -> None:
    many = await both(stage, "save", Choices(), 1)
    stage.volume.write("/second/fluxstate", b"a file where the folder should be")
    worst = await many.run(lambda part, event: None)
    good, bad = (part.outcome for part in many.parts)
    assert good is not None
    assert good.kind is OutcomeKind.COMPLETED, good
    assert worst is bad
    assert worst.kind is OutcomeKind.FAILED
    assert await starts(stage, SECOND)
