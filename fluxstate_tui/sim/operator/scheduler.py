"""The scheduler: pods onto the one node, or an honest FailedScheduling."""

from __future__ import annotations

from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import NODES, PODS, PVCS
from fluxstate_tui.sim.api.store import Change
from fluxstate_tui.sim.operator.binder import quantity
from fluxstate_tui.sim.operator.manager import Manager
from fluxstate_tui.sim.operator.node import NODE_NAME
from fluxstate_tui.sim.operator.recorder import Recorder
from fluxstate_tui.sim.operator.timings import Timings

_NO_HELP = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
_NO_VICTIM = "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."


class Scheduler:
    """Looks at claims, node selectors, and requested cpu and memory."""

    def __init__(self, manager: Manager, timings: Timings) -> None:
        self._manager = manager
        self._store = manager.store
        self._timings = timings
        self._events = Recorder(manager.store, "default-scheduler")
        manager.watch(self._changed)

    def _changed(self, change: Change) -> None:
        metadata = change.object["metadata"]
        if change.kind == PODS and change.type == "ADDED":
            self._enqueue(metadata)
        elif change.kind in (PVCS, NODES) or (change.kind == PODS and change.type == "DELETED"):
            for pod in self._store.objects(PODS):
                if not pod["spec"].get("nodeName"):
                    self._enqueue(pod["metadata"])

    def _enqueue(self, metadata: JsonObject) -> None:
        delay = self._timings.schedule
        self._manager.enqueue(self._schedule, metadata["namespace"], metadata["name"], delay)

    async def _schedule(self, namespace: str, name: str) -> None:
        pod = self._store.get(PODS, namespace, name)
        if pod is None or pod["spec"].get("nodeName") or "deletionTimestamp" in pod["metadata"]:
            return
        obstacle = self._obstacle(pod)
        if obstacle:
            self._refuse(pod, obstacle)
            return
        now = self._store.timestamp()

        def bind(draft: JsonObject) -> None:
            draft["spec"]["nodeName"] = NODE_NAME
            draft["status"]["conditions"] = [
                {"type": "PodScheduled", "status": "True", "lastProbeTime": None,
                 "lastTransitionTime": now}
            ]  # fmt: skip

        self._store.modify(PODS, namespace, name, bind)
        text = f"Successfully assigned {namespace}/{name} to {NODE_NAME}"
        self._events.event(pod, "Scheduled", text)

    def _refuse(self, pod: JsonObject, why: str) -> None:
        now = self._store.timestamp()

        def mark(draft: JsonObject) -> None:
            condition = {"type": "PodScheduled", "status": "False", "lastProbeTime": None,
                         "lastTransitionTime": now, "reason": "Unschedulable",
                         "message": why}  # fmt: skip
            old = draft["status"].get("conditions") or [{}]
            if old[0].get("message") != why:
                draft["status"]["conditions"] = [condition]

        metadata = pod["metadata"]
        self._store.modify(PODS, metadata["namespace"], metadata["name"], mark)
        self._events.event(pod, "FailedScheduling", why, warning=True)

    def _obstacle(self, pod: JsonObject) -> str:
        """Why the pod fits nowhere, in the scheduler's words, or empty."""
        prefix = "0/1 nodes are available:"
        for volume in pod["spec"].get("volumes", []):
            claim_name = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim_name is None:
                continue
            claim = self._store.get(PVCS, pod["metadata"]["namespace"], claim_name)
            if claim is None:
                return f'{prefix} persistentvolumeclaim "{claim_name}" not found. {_NO_HELP}'
            if claim["status"].get("phase") != "Bound":
                return f"{prefix} pod has unbound immediate PersistentVolumeClaims. {_NO_HELP}"
        node = self._store.get(NODES, "", NODE_NAME)
        if node is None:
            return "no nodes available to schedule pods"
        labels = node["metadata"].get("labels", {})
        for key, value in (pod["spec"].get("nodeSelector") or {}).items():
            if labels.get(key) != value:
                return f"{prefix} 1 node(s) didn't match Pod's node affinity/selector. {_NO_HELP}"
        for resource in ("cpu", "memory"):
            wanted = _requested(pod, resource)
            room = quantity(node["status"]["allocatable"][resource]) - self._used(resource)
            if wanted > room:
                return f"{prefix} 1 Insufficient {resource}. {_NO_VICTIM}"
        return ""

    def _used(self, resource: str) -> float:
        return sum(
            _requested(pod, resource)
            for pod in self._store.objects(PODS)
            if pod["spec"].get("nodeName")
            and pod["status"].get("phase") not in {"Succeeded", "Failed"}
        )


def _requested(pod: JsonObject, resource: str) -> float:
    total = 0.0
    for container in pod["spec"]["containers"]:
        resources = container.get("resources") or {}
        asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        total += quantity(str(asked.get(resource, "0")))
    return total
