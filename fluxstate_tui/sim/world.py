"""Named worlds: what a simulated cluster holds when it starts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import NAMESPACES, PVCS, PVS, SERVICEACCOUNTS, STORAGECLASSES
from fluxstate_tui.sim.api.schema import apply_defaults
from fluxstate_tui.sim.operator.defaults import DEFAULT_CLASS
from fluxstate_tui.sim.operator.flavour import Flavour

if TYPE_CHECKING:
    from fluxstate_tui.sim.server import ClusterState

DATA = "/data"
OPERATOR_NAMESPACE = "operator-system"


def crd_of(flavour: Flavour) -> JsonObject:
    """The CustomResourceDefinition of a flavour."""
    kind = flavour.kind
    name = f"{kind.plural}.{kind.group}"
    version = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": flavour.schema().openapi()},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.size",
                "statusReplicasPath": ".status.size",
                "labelSelectorPath": ".status.selector",
            },
        },
    }
    names = {"plural": kind.plural, "singular": kind.singular, "kind": kind.kind,
             "listKind": f"{kind.kind}List"}  # fmt: skip
    accepted = [{"type": word, "status": "True", "reason": reason} for word, reason in (
        ("NamesAccepted", "NoConflicts"), ("Established", "InitialNamesAccepted"))]  # fmt: skip
    return {
        "metadata": {"name": name},
        "spec": {"group": kind.group, "names": names, "scope": "Namespaced",
                 "versions": [version], "conversion": {"strategy": "None"}},
        "status": {"acceptedNames": names, "storedVersions": [kind.version],
                   "conditions": accepted},
    }  # fmt: skip


def minicluster(name: str, size: int = 2, *, namespace: str = "default") -> JsonObject:
    """The tutorial's MiniCluster (v1alpha2): interactive, state on hostPath /data."""
    return {
        "apiVersion": "flux-framework.org/v1alpha2",
        "kind": "MiniCluster",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "size": size,
            "interactive": True,
            "archive": {"path": "/state/archive.tar.gz"},
            "containers": [
                {"image": "rockylinux:9",
                 "volumes": {"data": {"hostPath": DATA, "path": "/state"}}}
            ],
        },
    }  # fmt: skip


def minicluster_v1alpha1(name: str, size: int = 2, *, namespace: str = "default") -> JsonObject:
    """The first tutorial's MiniCluster (v1alpha1): the volume is the MiniCluster's own."""
    volume = {"storageClass": "hostpath", "path": DATA, "labels": {"type": "local"}}
    return {
        "apiVersion": "flux-framework.org/v1alpha1",
        "kind": "MiniCluster",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "size": size,
            "interactive": True,
            "archive": {"path": "/state/archive.tar.gz"},
            "volumes": {"data": volume},
            "containers": [
                {"image": "ghcr.io/flux-framework/flux-restful-api:latest",
                 "volumes": {"data": {"path": "/state"}}}
            ],
        },
    }  # fmt: skip


def tutorial_minicluster(flavour: Flavour, name: str, size: int = 2) -> JsonObject:
    """The tutorial's MiniCluster as that operator version wants it."""
    return minicluster(name, size) if flavour.has_view else minicluster_v1alpha1(name, size)


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
    state.store.create(state.flavour.kind, with_defaults(state, body))


def with_defaults(state: ClusterState, body: JsonObject) -> JsonObject:
    """A MiniCluster with the CRD's defaults, as the API server would store it."""
    filled: JsonObject = apply_defaults(state.flavour.schema(), body)
    return filled


WORLDS: dict[str, Callable[[ClusterState], Awaitable[None]]] = {
    "empty": _empty,
    "tutorial": _tutorial,
}


async def build_world(state: ClusterState, name: str) -> None:
    """Create what the world holds. Raises ValueError for an unknown name."""
    if name not in WORLDS:
        raise ValueError(f"unknown world {name!r}; known: {', '.join(WORLDS)}")
    _basics(state)
    await WORLDS[name](state)
