"""The registry of worlds, and what they all begin with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fluxstate_tui.sim.api.kinds import NAMESPACES, PODS, PVCS, PVS, SERVICEACCOUNTS, STORAGECLASSES
from fluxstate_tui.sim.operator.defaults import DEFAULT_CLASS
from fluxstate_tui.sim.operator.kubelet import OPERATOR_COMMAND
from fluxstate_tui.sim.worlds.demo import demo
from fluxstate_tui.sim.worlds.manifests import DATA, tutorial_minicluster, with_defaults

if TYPE_CHECKING:
    from fluxstate_tui.sim.server import ClusterState


OPERATOR_NAMESPACE = "operator-system"


def _basics(state: ClusterState) -> None:
    """Namespaces, service accounts, storage classes and the directory /data."""
    for name in ("default", "kube-system", "kube-public", "kube-node-lease", OPERATOR_NAMESPACE):
        state.store.create(NAMESPACES, {"metadata": {"name": name}})
        account = {"metadata": {"name": "default", "namespace": name}}
        state.store.create(SERVICEACCOUNTS, account)
    state.store.create(
        STORAGECLASSES,
        {
            "metadata": {"name": "standard", "annotations": {DEFAULT_CLASS: "true"}},
            "provisioner": "k8s.io/minikube-hostpath",
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "Immediate",
        },
    )
    state.volumes.host_path(DATA)
    image = "ghcr.io/flux-framework/flux-operator:latest"
    manager = {"name": "manager", "image": image, "command": OPERATOR_COMMAND}
    metadata = {
        "name": "operator-controller-manager-7d9f6c5b8-x2x4k",
        "namespace": OPERATOR_NAMESPACE,
        "labels": {"control-plane": "controller-manager"},
    }
    state.store.create(PODS, {"metadata": metadata, "spec": {"containers": [manager]}})


def _tutorial_volume(state: ClusterState) -> None:
    """The tutorial's PV and PVC `data` (hostPath /data)."""
    capacity = {"storage": "10Gi"}
    state.store.create(
        PVS,
        {
            "metadata": {"name": "data", "labels": {"type": "local"}},
            "spec": {"storageClassName": "manual", "capacity": capacity,
                     "accessModes": ["ReadWriteMany"], "hostPath": {"path": DATA}},
        },
    )  # fmt: skip
    state.store.create(
        PVCS,
        {
            "metadata": {"name": "data", "namespace": "default"},
            "spec": {"storageClassName": "manual", "accessModes": ["ReadWriteMany"],
                     "resources": {"requests": capacity}},
        },
    )  # fmt: skip


async def _empty(state: ClusterState) -> None:
    if state.flavour.has_view:
        _tutorial_volume(state)


async def _tutorial(state: ClusterState) -> None:
    await _empty(state)
    body = tutorial_minicluster(state.flavour, "flux-sample")
    state.store.create(state.flavour.kind, with_defaults(state.flavour, body))


async def _demo(state: ClusterState) -> None:
    _tutorial_volume(state)
    await demo(state)


# Seconds of a world's past: it is lived through before anybody looks.
WARM_UP = {"demo": 150.0}
WORLDS: dict[str, Callable[[ClusterState], Awaitable[None]]] = {
    "empty": _empty,
    "tutorial": _tutorial,
    "demo": _demo,
}


async def build_world(state: ClusterState, name: str) -> None:
    """Create what the world holds. Raises ValueError for an unknown name or a wrong flavour."""
    if name not in WORLDS:
        raise ValueError(f"unknown world {name!r}; known: {', '.join(WORLDS)}")
    if name == "demo" and not state.flavour.has_view:
        raise ValueError("the world 'demo' has MiniClusters of v1alpha2 only")
    _basics(state)
    await WORLDS[name](state)
