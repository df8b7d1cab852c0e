"""Defaulting of built-in kinds, as the API server's own defaulting fills them in."""

from __future__ import annotations

import copy

from fluxstate_tui.sim.api.deletion import PVC_PROTECTION
from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import JOBS, NAMESPACES, PODS, PVCS, PVS, SERVICES, STORAGECLASSES
from fluxstate_tui.sim.api.store import ObjectStore

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_TOLERATIONS = [
    {"key": f"node.kubernetes.io/{condition}", "operator": "Exists", "effect": "NoExecute",
     "tolerationSeconds": 300}
    for condition in ("not-ready", "unreachable")
]  # fmt: skip


def install(store: ObjectStore) -> None:
    """Complete new objects of the built-in kinds."""
    store.completers |= {
        NAMESPACES: _namespace,
        PODS: _pod,
        JOBS: _job,
        SERVICES: _service,
        PVS: _volume,
        PVCS: lambda claim: _claim(store, claim),
    }


def pod_spec(spec: JsonObject) -> None:
    """Defaults of a pod's spec, in place."""
    for container in [*spec.get("initContainers", []), *spec.get("containers", [])]:
        container.setdefault("resources", {})
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")
        latest = ":" not in container.get("image", "").rpartition("/")[2]
        latest = latest or container.get("image", "").endswith(":latest")
        container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")


def _namespace(namespace: JsonObject) -> None:
    labels = namespace["metadata"].setdefault("labels", {})
    labels.setdefault("kubernetes.io/metadata.name", namespace["metadata"]["name"])
    namespace["spec"] = {"finalizers": ["kubernetes"]}
    namespace["status"] = {"phase": "Active"}


def _pod(pod: JsonObject) -> None:
    pod["metadata"]["generation"] = 1
    spec = pod["spec"]
    pod_spec(spec)
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    spec.setdefault("tolerations", copy.deepcopy(_TOLERATIONS))
    spec.setdefault("priority", 0)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    requests = any(
        container["resources"].get(kind)
        for container in spec["containers"]
        for kind in ("requests", "limits")
    )
    pod["status"] = {"phase": "Pending", "qosClass": "Burstable" if requests else "BestEffort"}


def _job(job: JsonObject) -> None:
    metadata, spec = job["metadata"], job["spec"]
    own = {
        "batch.kubernetes.io/controller-uid": metadata["uid"],
        "batch.kubernetes.io/job-name": metadata["name"],
        "controller-uid": metadata["uid"],
        "job-name": metadata["name"],
    }
    template = spec["template"].setdefault("metadata", {})
    template["labels"] = {**(template.get("labels") or {}), **own}
    metadata["labels"] = {**template["labels"], **(metadata.get("labels") or {})}
    spec.setdefault("parallelism", 1)
    spec.setdefault("completions", 1)
    spec.setdefault("backoffLimit", 6)
    uid = metadata["uid"]
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    spec.setdefault("manualSelector", False)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed")
    pod_spec(spec["template"]["spec"])
    job["status"] = {}


def _service(service: JsonObject) -> None:
    spec = service.setdefault("spec", {})
    spec.setdefault("clusterIP", "10.96.0.10")
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    service["status"] = {"loadBalancer": {}}


def _volume(volume: JsonObject) -> None:
    spec = volume["spec"]
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    if "hostPath" in spec:
        spec["hostPath"].setdefault("type", "")
    volume["metadata"].setdefault("finalizers", ["kubernetes.io/pv-protection"])
    volume["status"] = {"phase": "Pending"}


def _claim(store: ObjectStore, claim: JsonObject) -> None:
    spec = claim["spec"]
    spec.setdefault("volumeMode", "Filesystem")
    if "storageClassName" not in spec:
        for storage in store.objects(STORAGECLASSES):
            if storage["metadata"].get("annotations", {}).get(DEFAULT_CLASS) == "true":
                spec["storageClassName"] = storage["metadata"]["name"]
    finalizers = claim["metadata"].setdefault("finalizers", [])
    if PVC_PROTECTION not in finalizers:
        finalizers.append(PVC_PROTECTION)
    claim["status"] = {"phase": "Pending"}
