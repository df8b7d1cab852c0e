"""A MiniCluster that has no queue (any more) is deleted without a word that something is lost."""

from __future__ import annotations

from fluxstate_tui.broker.objects import read_phase
from fluxstate_tui.kube.objects import PODS
from fluxstate_tui.minicluster.minicluster import Phase
from fluxstate_tui.operations.base import ConsentKind, OperationKind, OutcomeKind
from fluxstate_tui.operations.registry import prepare
from tests.faults.stage import ANY, NAME, NAMESPACE, Stage


async def created(stage: Stage, *, size: int = 2, **container: object) -> None:
    resource = await stage.context.cluster.minicluster_resource()
    body = {
        "apiVersion": f"{resource.group}/{resource.version}",
        "kind": "MiniCluster",
        "metadata": {"name": NAME},
        "spec": {"size": size, "containers": [{"image": "rockylinux:9", **container}]},
    }
    await stage.context.cluster.create(resource, body, NAMESPACE)


async def becomes(stage: Stage, phase: Phase) -> None:
    while (await read_phase(stage.context, ANY)).phase is not phase:
        await stage.sim.clock.sleep(0.5)


async def test_one_that_has_finished_is_deleted_with_a_yes(stage_without: Stage) -> None:
    stage = stage_without
    await created(stage, command="echo hello")
    await becomes(stage, Phase.FINISHED)
    operation = await prepare(OperationKind.DELETE, stage.context, await stage.ref())
    assert operation.plan.consent.kind is ConsentKind.CONFIRM
    assert "it has ended" in operation.plan.preview[0]
    assert not any("UNKNOWN" in line for line in operation.plan.preview)
    outcome = await operation.run(stage.seen.append)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    assert "lost" not in outcome.reason


async def test_one_whose_pods_never_found_a_node_is_deleted_with_a_yes(
    stage_without: Stage,
) -> None:
    stage = stage_without
    await created(stage, resources={"requests": {"cpu": "100000"}})
    while not await stage.context.cluster.list(PODS, NAMESPACE):
        await stage.sim.clock.sleep(0.5)
    await becomes(stage, Phase.SCHEDULING)
    operation = await prepare(OperationKind.DELETE, stage.context, await stage.ref())
    assert operation.plan.consent.kind is ConsentKind.CONFIRM
    assert "no broker of it ever ran" in operation.plan.preview[0]
    outcome = await operation.run(stage.seen.append)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
