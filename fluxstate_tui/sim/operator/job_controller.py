"""The Job controller: one pod per index, replaced when it goes, counted when it ends."""

from __future__ import annotations

import copy

from fluxstate_tui.sim.api.deletion import delete
from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import JOBS, PODS
from fluxstate_tui.sim.api.store import Change, from_rfc3339
from fluxstate_tui.sim.operator.manager import Manager
from fluxstate_tui.sim.operator.manifests import COMPLETION_INDEX, owner_reference
from fluxstate_tui.sim.operator.recorder import Recorder
from fluxstate_tui.sim.operator.timings import Timings

TRACKING = "batch.kubernetes.io/job-tracking"
_TERMINAL = ("Succeeded", "Failed")


class JobController:
    """Indexed and plain Jobs, podReplacementPolicy TerminatingOrFailed."""

    def __init__(self, manager: Manager, timings: Timings) -> None:
        self._manager = manager
        self._store = manager.store
        self._timings = timings
        self._events = Recorder(manager.store, "job-controller")
        # Failed pods that were counted, by Job uid: they stay in status.failed.
        self._failed: dict[str, set[str]] = {}
        manager.watch(self._changed)

    def _changed(self, change: Change) -> None:
        metadata = change.object["metadata"]
        namespace = metadata.get("namespace", "")
        if change.kind == JOBS:
            self._manager.enqueue(self._reconcile, namespace, metadata["name"])
            if change.type == "ADDED":
                deadline = change.object["spec"].get("activeDeadlineSeconds")
                if deadline and deadline < 1e6:
                    name = metadata["name"]
                    self._manager.enqueue(self._reconcile, namespace, name, float(deadline))
        elif change.kind == PODS:
            for reference in metadata.get("ownerReferences") or []:
                if reference["kind"] == "Job":
                    self._manager.enqueue(self._reconcile, namespace, reference["name"])
            if TRACKING in (metadata.get("finalizers") or []):
                self._manager.enqueue(self._untrack, namespace, metadata["name"])

    async def _untrack(self, namespace: str, name: str) -> None:
        """Let a pod go that has ended or is being deleted."""
        pod = self._store.get(PODS, namespace, name)
        if pod is None:
            return
        ended = pod["status"].get("phase") in _TERMINAL
        if not ended and "deletionTimestamp" not in pod["metadata"]:
            return

        def change(draft: JsonObject) -> None:
            kept = [item for item in draft["metadata"].get("finalizers", []) if item != TRACKING]
            draft["metadata"]["finalizers"] = kept
            if not kept:
                del draft["metadata"]["finalizers"]

        self._store.modify(PODS, namespace, name, change)

    def _pods(self, job: JsonObject) -> list[JsonObject]:
        uid = job["metadata"]["uid"]
        return [
            pod
            for pod in self._store.objects(PODS, job["metadata"]["namespace"])
            if any(ref["uid"] == uid for ref in pod["metadata"].get("ownerReferences") or [])
        ]

    async def _reconcile(self, namespace: str, name: str) -> None:
        job = self._store.get(JOBS, namespace, name)
        if job is None or "deletionTimestamp" in job["metadata"]:
            return
        if any(c["type"] in {"Complete", "Failed"} for c in job["status"].get("conditions", [])):
            return
        pods = self._pods(job)
        succeeded = {_index(pod) for pod in pods if pod["status"].get("phase") == "Succeeded"}
        failed = self._failed.setdefault(job["metadata"]["uid"], set())
        failed |= {p["metadata"]["uid"] for p in pods if p["status"].get("phase") == "Failed"}
        target = self._failure(job, len(failed))
        if target:
            self._stop(job, pods, succeeded, failed, target)
            return
        done = len(succeeded & set(range(job["spec"]["completions"])))
        if done < job["spec"]["completions"]:
            self._match_size(job, pods, succeeded)
        self._count(job, self._pods(job), succeeded, failed)

    def _match_size(self, job: JsonObject, pods: list[JsonObject], succeeded: set[int]) -> None:
        """Delete pods above the size; create those that are missing."""
        wanted = set(range(job["spec"]["parallelism"]))
        active: set[int] = set()
        for pod in pods:
            ended = pod["status"].get("phase") in _TERMINAL
            if ended or "deletionTimestamp" in pod["metadata"]:
                continue
            if _index(pod) in wanted:
                active.add(_index(pod))
            else:
                delete(self._store, PODS, pod, {})
                text = f"Deleted pod: {pod['metadata']['name']}"
                self._events.event(job, "SuccessfulDelete", text)
        for index in sorted(wanted - active - succeeded):
            created = self._store.create(PODS, self._pod(job, index))
            text = f"Created pod: {created['metadata']['name']}"
            self._events.event(job, "SuccessfulCreate", text)

    @staticmethod
    def _pod(job: JsonObject, index: int) -> JsonObject:
        template = job["spec"]["template"]
        metadata = job["metadata"]
        base = f"{metadata['name']}-{index}"
        labels = {**template["metadata"].get("labels", {}), COMPLETION_INDEX: str(index)}
        annotations = {
            **(template["metadata"].get("annotations") or {}),
            COMPLETION_INDEX: str(index),
        }
        return {
            "metadata": {
                "generateName": f"{base}-",
                "namespace": metadata["namespace"],
                "labels": labels,
                "annotations": annotations,
                "ownerReferences": [owner_reference(job)],
                "finalizers": [TRACKING],
            },
            "spec": {**copy.deepcopy(template["spec"]), "hostname": base},
        }

    def _failure(self, job: JsonObject, failed: int) -> tuple[str, str] | None:
        """Why the Job has failed: reason and message."""
        spec, status = job["spec"], job["status"]
        deadline, started = spec.get("activeDeadlineSeconds"), status.get("startTime")
        if deadline and started and self._store.now() - from_rfc3339(started) >= deadline:
            return "DeadlineExceeded", "Job was active longer than specified deadline"
        if failed > spec["backoffLimit"]:
            return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        return None

    def _stop(
        self,
        job: JsonObject,
        pods: list[JsonObject],
        succeeded: set[int],
        failed: set[str],
        why: tuple[str, str],
    ) -> None:
        """Delete what runs; the Job is Failed once all pods have ended."""
        for pod in pods:
            ended = pod["status"].get("phase") in _TERMINAL
            if not ended and "deletionTimestamp" not in pod["metadata"]:
                delete(self._store, PODS, pod, {})
                text = f"Deleted pod: {pod['metadata']['name']}"
                self._events.event(job, "SuccessfulDelete", text)
        left = [p for p in self._pods(job) if p["status"].get("phase") not in _TERMINAL]
        types = ["FailureTarget"] if left else ["FailureTarget", "Failed"]
        self._count(job, self._pods(job), succeeded, failed, (types, *why))
        if not left:
            self._events.event(job, why[0], why[1], warning=True)

    def _count(
        self,
        job: JsonObject,
        pods: list[JsonObject],
        succeeded: set[int],
        failed: set[str],
        ended: tuple[list[str], str, str] | None = None,
    ) -> None:
        """Write status.active, ready, succeeded, failed, completedIndexes and conditions."""
        living = [p for p in pods if p["status"].get("phase") not in _TERMINAL]
        active = [p for p in living if "deletionTimestamp" not in p["metadata"]]
        ready = [p for p in active if _is_ready(p)]
        completed = sorted(succeeded & set(range(job["spec"]["completions"])))
        status: JsonObject = {"startTime": job["status"].get("startTime", self._store.timestamp())}
        if ended is not None:
            status["conditions"] = self._conditions(job, *ended)
        elif len(completed) >= job["spec"]["completions"]:
            text = "Reached expected number of succeeded pods"
            types = ["SuccessCriteriaMet", "Complete"]
            status["conditions"] = self._conditions(job, types, "CompletionsReached", text)
            status["completionTime"] = self._store.timestamp()
            self._events.event(job, "Completed", "Job completed")
        for field, count in (("active", len(active)), ("succeeded", len(completed)),
                             ("failed", len(failed))):  # fmt: skip
            if count:
                status[field] = count
        status["terminating"] = len(living) - len(active)
        if completed:
            status["completedIndexes"] = compress(completed)
        status["uncountedTerminatedPods"] = {}
        status["ready"] = len(ready)
        metadata = job["metadata"]
        self._store.modify(
            JOBS, metadata["namespace"], metadata["name"], lambda draft: draft.update(status=status)
        )

    def _conditions(
        self, job: JsonObject, types: list[str], reason: str, message: str
    ) -> list[JsonObject]:
        known = {c["type"]: c for c in job["status"].get("conditions", [])}
        now = self._store.timestamp()
        new = {"status": "True", "lastProbeTime": now, "lastTransitionTime": now,
               "reason": reason, "message": message}  # fmt: skip
        return [known.get(name) or {"type": name, **new} for name in types]


def compress(indexes: list[int]) -> str:
    """`0,1,3-5`: two neighbours stay apart, more become a range, as the Job controller writes."""
    parts: list[str] = []
    start = 0
    while start < len(indexes):
        end = start
        while end + 1 < len(indexes) and indexes[end + 1] == indexes[end] + 1:
            end += 1
        run = indexes[start : end + 1]
        parts.append(f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run)))
        start = end + 1
    return ",".join(parts)


def _index(pod: JsonObject) -> int:
    return int(pod["metadata"]["annotations"][COMPLETION_INDEX])


def _is_ready(pod: JsonObject) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
