"""The columns of `kubectl get` by kind, filled as Kubernetes' own printers fill them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fluxstate_tui.formatting import human_duration
from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import (
    CONFIGMAPS,
    EVENTS,
    JOBS,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    PVCS,
    PVS,
    SERVICES,
    STORAGECLASSES,
    Kind,
)
from fluxstate_tui.sim.api.pod_row import pod_cells
from fluxstate_tui.sim.api.store import from_rfc3339

# name, type, priority (0 = always, 1 = -o wide)
Column = tuple[str, str, int]
Cells = Callable[[JsonObject, float], list[Any]]


def age(obj: JsonObject, now: float) -> str:
    """How old an object is."""
    created = obj["metadata"].get("creationTimestamp")
    return human_duration(now - from_rfc3339(created)) if created else "<unknown>"


def _since(text: str | None, now: float) -> str:
    return human_duration(now - from_rfc3339(text)) if text else "<unknown>"


def _job(obj: JsonObject, now: float) -> list[Any]:
    status, spec = obj.get("status", {}), obj["spec"]
    conditions = {c["type"] for c in status.get("conditions", []) if c["status"] == "True"}
    word = "Running"
    for condition, shown in (("Complete", "Complete"), ("Failed", "Failed"),
                             ("FailureTarget", "FailureTarget"),
                             ("SuccessCriteriaMet", "SuccessCriteriaMet")):  # fmt: skip
        if condition in conditions:
            word = shown
            break
    if obj["metadata"].get("deletionTimestamp"):
        word = "Terminating"
    duration = ""
    if status.get("startTime"):
        end = status.get("completionTime")
        until = from_rfc3339(end) if end else now
        duration = human_duration(until - from_rfc3339(status["startTime"]))
    containers = spec["template"]["spec"].get("containers", [])
    return [
        obj["metadata"]["name"],
        word,
        f"{status.get('succeeded', 0)}/{spec.get('completions', 1)}",
        duration,
        age(obj, now),
        ",".join(container["name"] for container in containers),
        ",".join(container.get("image", "") for container in containers),
        ",".join(f"{k}={v}" for k, v in spec.get("selector", {}).get("matchLabels", {}).items()),
    ]


def _event(obj: JsonObject, now: float) -> list[Any]:
    about = obj["involvedObject"]
    seen = obj.get("lastTimestamp") or obj.get("eventTime") or obj["metadata"]["creationTimestamp"]
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    source = obj.get("source", {})
    component = source.get("component") or obj.get("reportingComponent", "")
    origin = f"{component}, {source['host']}" if source.get("host") else component
    count = obj.get("count") or 1
    last = _since(seen, now)
    if count > 1:
        last = f"{last} (x{count} over {_since(first, now)})"
    return [
        last, obj.get("type", ""), obj.get("reason", ""),
        f"{about['kind'].lower()}/{about['name']}", about.get("fieldPath", ""), origin,
        obj.get("message", "").strip(), _since(first, now), count, obj["metadata"]["name"],
    ]  # fmt: skip


def _volume_modes(modes: list[str]) -> str:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX",
             "ReadWriteOncePod": "RWOP"}  # fmt: skip
    return ",".join(short.get(mode, mode) for mode in modes)


def _pvc(obj: JsonObject, now: float) -> list[Any]:
    status, spec = obj.get("status", {}), obj["spec"]
    deleting = obj["metadata"].get("deletionTimestamp")
    bound = bool(spec.get("volumeName"))
    return [
        obj["metadata"]["name"],
        "Terminating" if deleting else status.get("phase", ""),
        spec.get("volumeName", ""),
        status.get("capacity", {}).get("storage", "") if bound else "",
        _volume_modes(status.get("accessModes", [])) if bound else "",
        spec.get("storageClassName") or "",
        "<unset>",
        age(obj, now),
        spec.get("volumeMode", "Filesystem"),
    ]


def _pv(obj: JsonObject, now: float) -> list[Any]:
    spec, claim = obj["spec"], obj["spec"].get("claimRef")
    deleting = obj["metadata"].get("deletionTimestamp")
    return [
        obj["metadata"]["name"],
        spec.get("capacity", {}).get("storage", ""),
        _volume_modes(spec.get("accessModes", [])),
        spec.get("persistentVolumeReclaimPolicy", ""),
        "Terminating" if deleting else obj.get("status", {}).get("phase", ""),
        f"{claim['namespace']}/{claim['name']}" if claim else "",
        spec.get("storageClassName", ""),
        "<unset>",
        obj.get("status", {}).get("reason", ""),
        age(obj, now),
        spec.get("volumeMode", "Filesystem"),
    ]


def _node(obj: JsonObject, now: float) -> list[Any]:
    status = obj["status"]
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status["conditions"])
    info = status["nodeInfo"]
    address = status["addresses"][0]["address"]
    return [
        obj["metadata"]["name"], "Ready" if ready else "NotReady", "<none>", age(obj, now),
        info["kubeletVersion"], address, "<none>", info["osImage"], info["kernelVersion"],
        info["containerRuntimeVersion"],
    ]  # fmt: skip


def _service(obj: JsonObject, now: float) -> list[Any]:
    spec = obj["spec"]
    ports = ",".join(f"{p['port']}/{p.get('protocol', 'TCP')}" for p in spec.get("ports", []))
    selector = ",".join(f"{key}={value}" for key, value in spec.get("selector", {}).items())
    return [
        obj["metadata"]["name"], spec.get("type", "ClusterIP"), spec.get("clusterIP", "<none>"),
        "<none>", ports or "<none>", age(obj, now), selector or "<none>",
    ]  # fmt: skip


def _storage_class(obj: JsonObject, now: float) -> list[Any]:
    annotations = obj["metadata"].get("annotations", {})
    default = annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
    name = obj["metadata"]["name"] + (" (default)" if default else "")
    expand = str(obj.get("allowVolumeExpansion", False)).lower()
    return [
        name, obj.get("provisioner", ""), obj.get("reclaimPolicy", "Delete"),
        obj.get("volumeBindingMode", "Immediate"), expand, age(obj, now),
    ]  # fmt: skip


def _name_and_age(obj: JsonObject, now: float) -> list[Any]:
    return [obj["metadata"]["name"], age(obj, now)]


_POD_COLUMNS: list[Column] = [
    ("Name", "string", 0), ("Ready", "string", 0), ("Status", "string", 0),
    ("Restarts", "string", 0), ("Age", "string", 0), ("IP", "string", 1), ("Node", "string", 1),
    ("Nominated Node", "string", 1), ("Readiness Gates", "string", 1),
]  # fmt: skip
PRINTERS: dict[Kind, tuple[list[Column], Cells]] = {
    PODS: (
        _POD_COLUMNS,
        lambda obj, now: pod_cells(obj, age(obj, now), lambda text: _since(text, now)),
    ),
    JOBS: (
        [("Name", "string", 0), ("Status", "string", 0), ("Completions", "string", 0),
         ("Duration", "string", 0), ("Age", "string", 0), ("Containers", "string", 1),
         ("Images", "string", 1), ("Selector", "string", 1)],
        _job,
    ),
    EVENTS: (
        [("Last Seen", "string", 0), ("Type", "string", 0), ("Reason", "string", 0),
         ("Object", "string", 0), ("Subobject", "string", 1), ("Source", "string", 1),
         ("Message", "string", 0), ("First Seen", "string", 1), ("Count", "string", 1),
         ("Name", "string", 1)],
        _event,
    ),
    PVCS: (
        [("Name", "string", 0), ("Status", "string", 0), ("Volume", "string", 0),
         ("Capacity", "string", 0), ("Access Modes", "string", 0), ("StorageClass", "string", 0),
         ("VolumeAttributesClass", "string", 0), ("Age", "string", 0),
         ("VolumeMode", "string", 1)],
        _pvc,
    ),
    PVS: (
        [("Name", "string", 0), ("Capacity", "string", 0), ("Access Modes", "string", 0),
         ("Reclaim Policy", "string", 0), ("Status", "string", 0), ("Claim", "string", 0),
         ("StorageClass", "string", 0), ("VolumeAttributesClass", "string", 0),
         ("Reason", "string", 0), ("Age", "string", 0), ("VolumeMode", "string", 1)],
        _pv,
    ),
    NODES: (
        [("Name", "string", 0), ("Status", "string", 0), ("Roles", "string", 0),
         ("Age", "string", 0), ("Version", "string", 0), ("Internal-IP", "string", 1),
         ("External-IP", "string", 1), ("OS-Image", "string", 1), ("Kernel-Version", "string", 1),
         ("Container-Runtime", "string", 1)],
        _node,
    ),
    SERVICES: (
        [("Name", "string", 0), ("Type", "string", 0), ("Cluster-IP", "string", 0),
         ("External-IP", "string", 0), ("Port(s)", "string", 0), ("Age", "string", 0),
         ("Selector", "string", 1)],
        _service,
    ),
    NAMESPACES: (
        [("Name", "string", 0), ("Status", "string", 0), ("Age", "string", 0)],
        lambda obj, now: [obj["metadata"]["name"], obj["status"]["phase"], age(obj, now)],
    ),
    CONFIGMAPS: (
        [("Name", "string", 0), ("Data", "string", 0), ("Age", "string", 0)],
        lambda obj, now: [obj["metadata"]["name"], len(obj.get("data") or {}), age(obj, now)],
    ),
    LEASES: (
        [("Name", "string", 0), ("Holder", "string", 0), ("Age", "string", 0)],
        lambda obj, now: [
            obj["metadata"]["name"], obj.get("spec", {}).get("holderIdentity", ""), age(obj, now),
        ],
    ),
    STORAGECLASSES: (
        [("Name", "string", 0), ("Provisioner", "string", 0), ("ReclaimPolicy", "string", 0),
         ("VolumeBindingMode", "string", 0), ("AllowVolumeExpansion", "string", 0),
         ("Age", "string", 0)],
        _storage_class,
    ),
}  # fmt: skip
# The operator's CRD has no additionalPrinterColumns: NAME and AGE only.
DEFAULT: tuple[list[Column], Cells] = (
    [("Name", "string", 0), ("Age", "date", 0)],
    _name_and_age,
)
