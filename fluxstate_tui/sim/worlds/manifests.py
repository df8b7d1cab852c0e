"""MiniClusters and the CRD as the tutorials write them."""

from __future__ import annotations

from typing import Any

from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.schema import apply_defaults
from fluxstate_tui.sim.operator.flavour import Flavour

DATA = "/data"


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


def minicluster(name: str, size: int = 2, *, namespace: str = "default", **spec: Any) -> JsonObject:
    """The tutorial's MiniCluster (v1alpha2): interactive, state on hostPath /data.

    `spec` replaces fields of its spec.
    """
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
            **spec,
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


def with_defaults(flavour: Flavour, body: JsonObject) -> JsonObject:
    """A MiniCluster with the CRD's defaults, as the API server would store it."""
    filled: JsonObject = apply_defaults(flavour.schema(), body)
    return filled
