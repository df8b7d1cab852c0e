"""Objects as the API server sends them -> the dataclasses of the model.

Nothing is guessed from names: a pod belongs to its controller by uid, and its index is what the Job
controller wrote on it (the operator's own `job-index` label is wrong as soon as two MiniClusters
share a namespace: ARCHITECTURE.md#F60).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from fluxstate_tui.minicluster.minicluster import ClusterRef, MiniCluster
from fluxstate_tui.minicluster.objects import (
    ContainerState,
    KubeEvent,
    KubeJob,
    Pod,
    Termination,
    as_map,
    as_maps,
    as_whole,
)

Object = dict[str, Any]

INDEX = "batch.kubernetes.io/job-completion-index"


def epoch(text: object) -> float | None:
    """An RFC 3339 time as seconds since the epoch; None if there is none."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None


def parse_minicluster(raw: Object) -> MiniCluster:
    """A MiniCluster, v1alpha1 or v1alpha2."""
    metadata, spec = raw["metadata"], as_map(raw.get("spec"))
    conditions = as_maps(as_map(raw.get("status")).get("conditions"))
    return MiniCluster(
        ref=ClusterRef(metadata["namespace"], metadata["name"], metadata["uid"]),
        api_version=str(raw.get("apiVersion") or ""),
        resource_version=str(metadata.get("resourceVersion") or ""),
        size=_whole(spec.get("size"), 1),
        max_size=_whole(spec.get("maxSize"), 0) or None,
        min_size=_whole(spec.get("minSize"), 0) or None,
        interactive=bool(spec.get("interactive")),
        archive_path=str(as_map(spec.get("archive")).get("path") or ""),
        created=epoch(metadata.get("creationTimestamp")) or 0.0,
        deleting_since=epoch(metadata.get("deletionTimestamp")),
        conditions={str(c.get("type")): c.get("status") == "True" for c in conditions},
        raw=raw,
    )


def parse_pod(raw: Object, cluster_uid: str = "") -> Pod:
    """A pod. `cluster_uid` is what is known about its MiniCluster."""
    metadata, status = raw["metadata"], raw.get("status") or {}
    owner, index = controller(raw), _index(metadata)
    return Pod(
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        owner_uid=str(owner.get("uid") or ""),
        owner_name=str(owner.get("name") or ""),
        index=index,
        phase=str(status.get("phase") or "Pending"),
        node=str((raw.get("spec") or {}).get("nodeName") or ""),
        created=epoch(metadata.get("creationTimestamp")) or 0.0,
        deleting_since=epoch(metadata.get("deletionTimestamp")),
        init=_containers(status.get("initContainerStatuses")),
        containers=_containers(status.get("containerStatuses")),
        unschedulable=_unschedulable(status),
        cluster_uid=cluster_uid,
        gated=bool(_condition(status, "PodScheduled", "SchedulingGated")),
        disruption=str(_condition(status, "DisruptionTarget").get("reason") or ""),
        gone_for=": ".join(str(status[key]) for key in ("reason", "message") if status.get(key)),
        raw=raw if index == 0 else None,
    )


def parse_job(raw: Object) -> KubeJob:
    """A batch/v1 Job. `owner_uid` is '' if no MiniCluster controls it."""
    metadata, status = raw["metadata"], raw.get("status") or {}
    owner = controller(raw)
    conditions = {c.get("type"): c for c in status.get("conditions") or () if _is_true(c)}
    failure = conditions.get("Failed") or conditions.get("FailureTarget") or {}
    told = ": ".join(str(failure[key]) for key in ("reason", "message") if failure.get(key))
    return KubeJob(
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        owner_uid=str(owner["uid"]) if owner.get("kind") == "MiniCluster" else "",
        parallelism=_whole((raw.get("spec") or {}).get("parallelism"), 1),
        active=_whole(status.get("active"), 0),
        succeeded=_whole(status.get("succeeded"), 0),
        failed=_whole(status.get("failed"), 0),
        complete="Complete" in conditions,
        failure=told or ("Failed" if failure else ""),
    )


def parse_event(raw: Object) -> KubeEvent:
    """A core/v1 Event, in the old form (count, lastTimestamp) or the new one (series)."""
    metadata, about = raw["metadata"], raw.get("involvedObject") or {}
    series = raw.get("series") or {}
    seen = (
        epoch(series.get("lastObservedTime"))
        or epoch(raw.get("lastTimestamp"))
        or epoch(raw.get("eventTime"))
        or epoch(metadata.get("creationTimestamp"))
    )
    return KubeEvent(
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        kind=str(about.get("kind") or ""),
        name=str(about.get("name") or ""),
        object_uid=str(about.get("uid") or ""),
        type=str(raw.get("type") or ""),
        reason=str(raw.get("reason") or ""),
        message=str(raw.get("message") or ""),
        count=_whole(series.get("count") or raw.get("count"), 1),
        last_seen=seen or 0.0,
    )


def controller(raw: Object) -> Object:
    """The owner that controls an object; {} if nobody does."""
    for owner in raw["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return dict(owner)
    return {}


def _whole(value: object, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _is_true(condition: Object) -> bool:
    return condition.get("status") == "True"


def _index(metadata: Object) -> int | None:
    """The annotation is there since Kubernetes 1.21, the label since 1.28."""
    for marks in (metadata.get("annotations") or {}, metadata.get("labels") or {}):
        text = str(marks.get(INDEX) or "")
        if text.isdigit():
            return int(text)
    return None


def _containers(statuses: list[Object] | None) -> tuple[ContainerState, ...]:
    return tuple(_container(status) for status in statuses or ())


def _container(status: Object) -> ContainerState:
    state = status.get("state") or {}
    name = next((key for key in ("running", "terminated", "waiting") if key in state), "waiting")
    details = state.get(name) or {}
    return ContainerState(
        name=str(status.get("name") or ""),
        state=name,
        ready=bool(status.get("ready")),
        restarts=_whole(status.get("restartCount"), 0),
        reason=str(details.get("reason") or ""),
        message=str(details.get("message") or ""),
        exit_code=details.get("exitCode"),
        ended=_termination(state) or _termination(status.get("lastState")),
    )


def _termination(state: object) -> Termination | None:
    told = as_map(as_map(state).get("terminated"))
    if not told:
        return None
    return Termination(
        reason=str(told.get("reason") or ""),
        exit_code=as_whole(told.get("exitCode")),
        signal=as_whole(told.get("signal")),
        at=epoch(told.get("finishedAt")),
        message=str(told.get("message") or ""),
    )


def _unschedulable(status: Object) -> str:
    found = _condition(status, "PodScheduled", "Unschedulable")
    return str(found.get("message") or "no node fits") if found else ""


def _condition(status: Object, kind: str, reason: str = "") -> Object:
    for condition in status.get("conditions") or ():
        if condition.get("type") == kind and reason in ("", condition.get("reason")):
            return dict(condition)
    return {}


# The kinds of object that we use, and how their addresses are made (Kubernetes API concepts).

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
SECRETS = Resource("", "v1", "secrets", "Secret")
JOBS = Resource("batch", "v1", "jobs", "Job")
EVENTS = Resource("", "v1", "events", "Event")
PVCS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
PVS = Resource("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False)
SERVICES = Resource("", "v1", "services", "Service")
CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
