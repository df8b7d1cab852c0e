"""DELETE: preconditions, grace periods, finalizers and propagation policies."""

from __future__ import annotations

import copy

from fluxstate_tui.sim.api import errors
from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import PODS, PVCS, SERVICES, Kind
from fluxstate_tui.sim.api.store import ObjectStore, rfc3339

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
PVC_PROTECTION = "kubernetes.io/pvc-protection"
# These kinds answer a delete with the object, all others with a Status.
_ANSWER_WITH_OBJECT = (PODS, SERVICES, PVCS)


def delete(
    store: ObjectStore, kind: Kind, obj: JsonObject, options: JsonObject, *, dry_run: bool = False
) -> JsonObject:
    """Delete one object as DeleteOptions say; the body of the answer. Raises ApiError 409."""
    metadata = obj["metadata"]
    _check_preconditions(kind, metadata, options.get("preconditions") or {})
    grace = _grace_seconds(kind, obj, options)
    finalizers = _finalizers(metadata, options)
    if not grace and not finalizers:
        if not dry_run:
            store.remove(kind, metadata.get("namespace", ""), metadata["name"])
        return obj if kind in _ANSWER_WITH_OBJECT else _deleted(kind, metadata)
    draft = copy.deepcopy(obj)
    marked = draft["metadata"]
    if "deletionTimestamp" not in marked:
        marked["deletionTimestamp"] = rfc3339(store.now() + grace)
        marked["deletionGracePeriodSeconds"] = grace
    elif grace < marked.get("deletionGracePeriodSeconds", 0):
        marked["deletionGracePeriodSeconds"] = grace
    if finalizers:
        marked["finalizers"] = finalizers
    marked.pop("resourceVersion", None)
    return draft if dry_run else store.update(kind, draft)


def _check_preconditions(kind: Kind, metadata: JsonObject, wanted: JsonObject) -> None:
    for key, field, word in (
        ("uid", "uid", "UID"),
        ("resourceVersion",) * 2 + ("ResourceVersion",),
    ):
        value = wanted.get(key)
        if value is not None and value != metadata[field]:
            raise errors.failed_precondition(kind, metadata["name"], word, value, metadata[field])


def _grace_seconds(kind: Kind, obj: JsonObject, options: JsonObject) -> int:
    """Only pods on a node take time: the kubelet has to stop their containers."""
    if kind != PODS or not obj["spec"].get("nodeName"):
        return 0
    if obj.get("status", {}).get("phase") in {"Succeeded", "Failed"}:
        return 0
    asked = options.get("gracePeriodSeconds")
    if asked is not None:
        return int(asked)
    return int(obj["spec"].get("terminationGracePeriodSeconds", 30))


def _finalizers(metadata: JsonObject, options: JsonObject) -> list[str]:
    policy = options.get("propagationPolicy")
    if policy is None and options.get("orphanDependents") is not None:
        policy = "Orphan" if options["orphanDependents"] else "Background"
    finalizers = list(metadata.get("finalizers") or [])
    wanted = {"Foreground": FOREGROUND, "Orphan": ORPHAN}.get(str(policy))
    if wanted and wanted not in finalizers:
        finalizers.append(wanted)
    return finalizers


def _deleted(kind: Kind, metadata: JsonObject) -> JsonObject:
    details = errors.details_of(kind, metadata["name"]) | {"uid": metadata["uid"]}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }
