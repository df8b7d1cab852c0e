"""Reads and writes of single objects: get, create, update, patch and their subresources."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any

from fluxstate_tui.sim.api import errors, patch
from fluxstate_tui.sim.api.admission import admit, check_identity
from fluxstate_tui.sim.api.context import ApiContext
from fluxstate_tui.sim.api.errors import Cause
from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.ownership import Owner
from fluxstate_tui.sim.api.request import Target, decode_body

_ACCEPTED_PATCHES = (patch.JSON, patch.MERGE, patch.APPLY)


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of a write: HTTP status, object, warnings for the client."""

    code: int
    object: JsonObject
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """Query parameters of writes."""

    dry_run: bool = False
    field_validation: str = ""
    manager: str = "unknown"
    force: bool = False


def read(context: ApiContext, target: Target) -> JsonObject:
    """The object (or its Scale). Raises ApiError 404."""
    found = context.store.get(target.kind, target.namespace, target.name)
    if found is None:
        raise errors.not_found(target.kind, target.name)
    return scale_of(found) if target.subresource == "scale" else found


def create(context: ApiContext, target: Target, body: JsonObject, options: WriteOptions) -> Written:
    """POST on a collection. Raises ApiError 400, 404, 409, 422."""
    check_identity(target, body)
    admitted, warnings = admit(context, target.kind, body, options.field_validation)
    if "status" in target.kind.subresources and target.kind.custom:
        admitted.pop("status", None)
    if options.dry_run:
        return Written(201, context.store.prepare_new(target.kind, admitted), tuple(warnings))
    created = context.store.create(target.kind, admitted)
    context.owners.wrote(None, created, Owner(options.manager))
    return Written(201, created, tuple(warnings))


def update(context: ApiContext, target: Target, body: JsonObject, options: WriteOptions) -> Written:
    """PUT. Custom resources must carry a resourceVersion. Raises ApiError 400, 404, 409, 422."""
    current = _current(context, target)
    if target.subresource == "scale":
        return _write_scale(context, target, current, body, options)
    check_identity(target, body)
    metadata = body["metadata"]
    if target.kind.custom and not metadata.get("resourceVersion"):
        message = "Invalid value: 0x0: must be specified for an update"
        cause = Cause("FieldValueInvalid", message, "metadata.resourceVersion")
        raise errors.invalid(target.kind, target.name, [cause], by_kind=False)
    _check_uid(target, metadata, current)
    return _store(context, target, current, body, options)


def apply_patch(
    context: ApiContext, target: Target, raw: bytes, content_type: str, options: WriteOptions
) -> Written:
    """PATCH in any of the four formats. Raises ApiError 404, 409, 415, 422."""
    media = content_type.partition(";")[0].strip()
    if media not in (patch.JSON, patch.MERGE, patch.STRATEGIC, patch.APPLY) or (
        media == patch.STRATEGIC and target.kind.custom
    ):
        known = _ACCEPTED_PATCHES if target.kind.custom else (*_ACCEPTED_PATCHES, patch.STRATEGIC)
        raise errors.unsupported_media_type(", ".join(known))
    if media == patch.APPLY:
        return _server_side_apply(context, target, raw, options)
    current = _current(context, target)
    base = scale_of(current) if target.subresource == "scale" else current
    patched = _patched(base, media, raw)
    if target.subresource == "scale":
        return _write_scale(context, target, current, patched, options)
    metadata = patched.get("metadata", {})
    if metadata.get("resourceVersion") != current["metadata"]["resourceVersion"]:
        raise errors.stale_version(target.kind, target.name)
    _check_uid(target, metadata, current)
    return _store(context, target, current, patched, options)


def _patched(base: JsonObject, media: str, raw: bytes) -> JsonObject:
    try:
        change: Any = json.loads(raw)
    except ValueError as error:
        raise errors.bad_request(f"error decoding patch: {error}") from None
    if media == patch.JSON:
        return patch.json_patch(base, change)
    if not isinstance(change, dict):
        raise errors.bad_request("json: cannot unmarshal array into Go value of type map")
    merge = patch.merge_patch if media == patch.MERGE else patch.strategic_merge_patch
    merged: JsonObject = merge(base, change)
    return merged


def _server_side_apply(
    context: ApiContext, target: Target, raw: bytes, options: WriteOptions
) -> Written:
    """Create or merge. Raises ApiError 409 when fields of others would change without `force`."""
    body = decode_body(raw, "application/yaml", target.kind.kind)
    check_identity(target, body)
    current = context.store.get(target.kind, target.namespace, target.name)
    if current is None:
        return create(context, target, body, options)
    if not options.force:
        context.owners.check_apply(target.kind, current, body, Owner(options.manager))
    merged: JsonObject = patch.strategic_merge_patch(current, body)
    return _store(context, target, current, merged, options)


def _current(context: ApiContext, target: Target) -> JsonObject:
    current = context.store.get(target.kind, target.namespace, target.name)
    if current is None:
        raise errors.not_found(target.kind, target.name)
    return current


def _check_uid(target: Target, metadata: JsonObject, current: JsonObject) -> None:
    uid = metadata.get("uid")
    if uid and uid != current["metadata"]["uid"]:
        actual = current["metadata"]["uid"]
        raise errors.failed_precondition(target.kind, target.name, "UID", uid, actual)


def _store(
    context: ApiContext,
    target: Target,
    current: JsonObject,
    body: JsonObject,
    options: WriteOptions,
) -> Written:
    """Keep what this path may not change (status or all the rest), then store."""
    body = copy.deepcopy(body)
    warnings: list[str] = []
    if target.subresource == "status":
        kept = {"metadata": body["metadata"], "status": body.get("status")}
        body = {**current, **{key: value for key, value in kept.items() if value is not None}}
    elif "status" in target.kind.subresources:
        body.pop("status", None)
        if "status" in current:
            body["status"] = current["status"]
    admitted, warnings = admit(context, target.kind, body, options.field_validation)
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        if field in current["metadata"]:
            admitted["metadata"][field] = current["metadata"][field]
        else:
            admitted["metadata"].pop(field, None)
    if options.dry_run:
        return Written(200, admitted, tuple(warnings))
    updated = context.store.update(target.kind, admitted)
    context.owners.wrote(current, updated, Owner(options.manager, target.subresource))
    return Written(200, updated, tuple(warnings))


def scale_of(obj: JsonObject) -> JsonObject:
    """autoscaling/v1 Scale of a MiniCluster: .spec.size and .status.size."""
    metadata = obj["metadata"]
    fields = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: JsonObject = {"replicas": obj.get("status", {}).get("size", 0)}
    selector = obj.get("status", {}).get("selector")
    if selector:
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in fields if name in metadata},
        "spec": {"replicas": obj["spec"].get("size", 0)},
        "status": status,
    }


def _write_scale(
    context: ApiContext,
    target: Target,
    current: JsonObject,
    scale: JsonObject,
    options: WriteOptions,
) -> Written:
    version = scale.get("metadata", {}).get("resourceVersion")
    if version and version != current["metadata"]["resourceVersion"]:
        raise errors.stale_version(target.kind, target.name)
    changed = copy.deepcopy(current)
    changed["spec"]["size"] = scale.get("spec", {}).get("replicas", 0)
    admitted, _ = admit(context, target.kind, changed)
    if options.dry_run:
        return Written(200, scale_of(admitted))
    updated = context.store.update(target.kind, admitted)
    context.owners.wrote(current, updated, Owner(options.manager, "scale"))
    return Written(200, scale_of(updated))
