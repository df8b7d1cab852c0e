"""Volumes and claims: bound, provisioned, protected, released."""

from __future__ import annotations

from typing import Any

from fluxstate_tui.sim.api.deletion import delete
from fluxstate_tui.sim.api.kinds import PODS, PVCS, PVS
from fluxstate_tui.sim.operator.binder import quantity
from tests.unit.sim_operator.conftest import NAMESPACE, MiniClusterClient


def claim(name: str, storage_class: str | None = None, **spec: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            **spec,
        },
    }
    if storage_class is not None:
        body["spec"]["storageClassName"] = storage_class
    return body


def phase(world: MiniClusterClient, name: str) -> str:
    found = world.store.get(PVCS, NAMESPACE, name)
    assert found is not None
    return str(found["status"]["phase"])


def test_quantities_are_numbers() -> None:
    assert quantity("10Gi") == 10 * 2**30
    assert quantity("500m") == 0.5
    assert quantity("2") == 2
    assert quantity("3k") == 3000


async def test_the_tutorials_claim_is_bound_from_the_start(world: MiniClusterClient) -> None:
    assert phase(world, "data") == "Bound"
    volume = world.store.get(PVS, "", "data")
    assert volume is not None
    assert volume["status"]["phase"] == "Bound"


async def test_a_claim_without_a_class_gets_a_new_volume_and_not_the_manual_one(
    world: MiniClusterClient,
) -> None:
    world.store.create(PVCS, claim("mine"))
    await world.clock.advance(2)
    found = world.store.get(PVCS, NAMESPACE, "mine")
    assert found is not None
    assert found["spec"]["storageClassName"] == "standard"
    assert found["spec"]["volumeName"].startswith("pvc-")


async def test_a_claim_with_an_unknown_class_stays_pending_with_an_event(
    world: MiniClusterClient,
) -> None:
    world.store.create(PVCS, claim("mine", "nosuch"))
    world.store.create(PVCS, claim("plain", ""))
    await world.clock.advance(2)
    assert (phase(world, "mine"), phase(world, "plain")) == ("Pending", "Pending")
    assert world.reasons("mine") == ["ProvisioningFailed"]
    assert world.reasons("plain") == ["FailedBinding"]


async def test_a_claim_in_use_is_protected_until_its_pod_is_gone(world: MiniClusterClient) -> None:
    volume = {"d": {"path": "/d", "claimName": "data"}}
    world.minicluster(size=1, containers=[{"image": "app", "volumes": volume}])
    await world.until(world.broker_runs)
    found = world.store.get(PVCS, NAMESPACE, "data")
    assert found is not None
    delete(world.store, PVCS, found, {})
    await world.clock.advance(5)
    held = world.store.get(PVCS, NAMESPACE, "data")
    assert held is not None
    assert "deletionTimestamp" in held["metadata"]
    delete(world.store, world.cluster.state.flavour.kind, world.get(), {})
    await world.until(lambda: world.store.get(PVCS, NAMESPACE, "data") is None)
    volume_object = world.store.get(PVS, "", "data")
    assert volume_object is not None
    assert volume_object["status"]["phase"] == "Released"


async def test_a_pod_waits_for_its_claim_and_then_runs(world: MiniClusterClient) -> None:
    pod = {
        "metadata": {"name": "helper", "namespace": NAMESPACE, "labels": {"a": "b"}},
        "spec": {
            "containers": [{"name": "c", "image": "busybox", "command": ["sleep", "infinity"]}],
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "late"}}],
        },
    }
    world.store.create(PODS, pod)
    await world.clock.advance(5)

    def pod_phase() -> str:
        found = world.store.get(PODS, NAMESPACE, "helper")
        assert found is not None
        return str(found["status"]["phase"])

    assert pod_phase() == "Pending"
    world.store.create(PVCS, claim("late"))
    await world.until(lambda: pod_phase() == "Running")
