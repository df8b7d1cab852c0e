"""The resources that the simulated API server serves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource type: where it is served, and how discovery describes it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    # Custom resources take no strategic merge patch and have a structural schema.
    custom: bool = False
    # metadata.generation counts changes of the spec.
    generation: bool = False
    categories: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """`v1`, `batch/v1` ..."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """`pod`, `minicluster` ..."""
        return self.kind.lower()

    @property
    def qualified(self) -> str:
        """As error messages name it: `pods`, `miniclusters.flux-framework.org`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


NAMESPACES = Kind("", "v1", "namespaces", "Namespace", False, ("ns",), ("status", "finalize"))
NODES = Kind("", "v1", "nodes", "Node", False, ("no",), ("status",))
PODS = Kind(
    "", "v1", "pods", "Pod", True, ("po",), ("status", "log", "exec", "eviction"),
    categories=("all",),
)  # fmt: skip
SERVICES = Kind("", "v1", "services", "Service", True, ("svc",), ("status",), categories=("all",))
CONFIGMAPS = Kind("", "v1", "configmaps", "ConfigMap", True, ("cm",))
SECRETS = Kind("", "v1", "secrets", "Secret")
SERVICEACCOUNTS = Kind("", "v1", "serviceaccounts", "ServiceAccount", True, ("sa",))
EVENTS = Kind("", "v1", "events", "Event", True, ("ev",))
PVS = Kind("", "v1", "persistentvolumes", "PersistentVolume", False, ("pv",), ("status",))
PVCS = Kind(
    "", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", True, ("pvc",), ("status",)
)
JOBS = Kind(
    "batch", "v1", "jobs", "Job", True, (), ("status",), generation=True, categories=("all",)
)
LEASES = Kind("coordination.k8s.io", "v1", "leases", "Lease")
STORAGECLASSES = Kind("storage.k8s.io", "v1", "storageclasses", "StorageClass", False, ("sc",))
CRDS = Kind(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", False,
    ("crd", "crds"), ("status",), generation=True,
)  # fmt: skip
MINICLUSTERS = Kind(
    "flux-framework.org", "v1alpha2", "miniclusters", "MiniCluster", True, (),
    ("status", "scale"), custom=True, generation=True,
)  # fmt: skip
MINICLUSTERS_V1ALPHA1 = Kind(
    "flux-framework.org", "v1alpha1", "miniclusters", "MiniCluster", True, (),
    ("status", "scale"), custom=True, generation=True,
)  # fmt: skip

BUILT_IN: tuple[Kind, ...] = (
    NAMESPACES, NODES, PODS, SERVICES, CONFIGMAPS, SECRETS, SERVICEACCOUNTS, EVENTS, PVS, PVCS,
    JOBS, LEASES, STORAGECLASSES, CRDS,
)  # fmt: skip


class Registry:
    """All kinds of one server, found by group, version and plural."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self.kinds = tuple(kinds)
        self._by_path = {(kind.group, kind.version, kind.plural): kind for kind in self.kinds}

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind served there, or None."""
        return self._by_path.get((group, version, plural))

    def groups(self) -> dict[str, list[str]]:
        """Served named groups and their versions."""
        found: dict[str, list[str]] = {}
        for kind in self.kinds:
            if kind.group and kind.version not in found.setdefault(kind.group, []):
                found[kind.group].append(kind.version)
        return found

    def in_group(self, group: str, version: str) -> list[Kind]:
        """The kinds of one group version."""
        return [kind for kind in self.kinds if (kind.group, kind.version) == (group, version)]
