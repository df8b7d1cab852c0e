"""The kinds of object that we use, and how their addresses are made (Kubernetes API concepts)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

FLUX_GROUP = "flux-framework.org"


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object of the API. The core group is ''."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`apiVersion` as it stands in an object: `v1`, `batch/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def label(self) -> str:
        """The full name as RBAC messages have it: `pods`, `miniclusters.flux-framework.org`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(
        self, namespace: str | None = None, name: str | None = None, subresource: str | None = None
    ) -> str:
        """The path of the collection, of one object, or of its subresource. Names are escaped."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if self.namespaced and namespace is not None:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name is not None:
            if not name:
                raise ValueError("an empty name would address the whole collection")
            parts.append(name)
        if subresource is not None:
            parts.append(subresource)
        return "/" + "/".join(quote(part, safe="") for part in parts)


MINICLUSTERS = Resource(FLUX_GROUP, "v1alpha2", "miniclusters", "MiniCluster")
MINICLUSTERS_V1ALPHA1 = Resource(FLUX_GROUP, "v1alpha1", "miniclusters", "MiniCluster")
PODS = Resource("", "v1", "pods", "Pod")
JOBS = Resource("batch", "v1", "jobs", "Job")
EVENTS = Resource("", "v1", "events", "Event")
PVCS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
PVS = Resource("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False)
SERVICES = Resource("", "v1", "services", "Service")
CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
