"""What a migration may not do on either side, and whom it could harm, is known before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.errors import Forbidden
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.kube.objects import NAMESPACES, PODS
from fluxstate_tui.operations.base import Choices, OperationKind
from fluxstate_tui.operations.registry import prepare
from fluxstate_tui.sim.api.auth import Rule, User
from fluxstate_tui.sim.worlds.manifests import minicluster
from tests.faults.stage import NAMESPACE, Stage

ALL = ("get", "list", "watch", "create", "update", "patch", "delete")
EVERYTHING_HERE = Rule(ALL, ("*",), ("*",), (NAMESPACE,))
ELSEWHERE = "elsewhere"


def elsewhere(*verbs: str, of: str) -> Rule:
    return Rule(verbs, (of,), ("*",), (ELSEWHERE,))


NO_DELETE = Rule(ALL[:-1], ("*",))
NO_PODS_THERE = (EVERYTHING_HERE, elsewhere(*ALL, of="miniclusters"))
NO_EXEC_THERE = (*NO_PODS_THERE, elsewhere(*ALL, of="pods"))


@pytest.mark.parametrize(
    ("rules", "choices", "missing"),
    [
        ((NO_DELETE,), Choices(size=3), "delete miniclusters in namespace 'default'"),
        (NO_PODS_THERE, Choices(to_namespace=ELSEWHERE), "create pods in namespace 'elsewhere'"),
        (NO_EXEC_THERE, Choices(to_namespace=ELSEWHERE), "get pods/exec in namespace 'elsewhere'"),
    ],
)
async def test_a_right_that_is_missing_on_either_side_is_said_before_anything_is_touched(
    stage: Stage, tmp_path: Path, rules: tuple[Rule, ...], choices: Choices, missing: str
) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ELSEWHERE}}
    await stage.context.cluster.create(NAMESPACES, body)
    token = stage.sim.add_user(User("alice", (), rules))
    config = str(stage.sim.write_kubeconfig(tmp_path / "alice", token))
    async with await Cluster.open(KubeOptions(config), stage.sim.clock) as cluster:
        alice = OperationContext(cluster, stage.sim.clock, tmp_path / "alices", "alice@there")
        with pytest.raises(Forbidden, match=missing):
            await prepare(OperationKind.MIGRATE, alice, await stage.ref(), choices)
    assert await stage.started()
    pods = await stage.context.cluster.list(PODS, ELSEWHERE)
    assert pods == []


async def test_another_minicluster_that_reads_the_same_path_is_named(stage: Stage) -> None:
    resource = await stage.context.cluster.minicluster_resource()
    other = minicluster("reader", 1, archive={"path": "/state/bigger.tar.gz"})
    await stage.context.cluster.create(resource, other, NAMESPACE)
    plans = []
    for choices in (Choices(to_name="bigger"), Choices(to_name="apart"), Choices(size=3)):
        operation = await prepare(OperationKind.MIGRATE, stage.context, await stage.ref(), choices)
        plans.append("\n".join(operation.plan.preview))
        await operation.close()
    danger = "DANGER: reader reads the same archive.path"
    assert [danger in text for text in plans] == [True, False, False]
    assert not any("DANGER: flux-sample" in text for text in plans)
