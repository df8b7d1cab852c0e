"""Merge patch (RFC 7386), JSON patch (RFC 6902) and strategic merge patch, on decoded JSON."""

from __future__ import annotations

import copy
from typing import Any

from fluxstate_tui.sim.api import errors
from fluxstate_tui.sim.api.json_types import JsonObject

MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

# Lists that a strategic merge joins by a key of their items (k8s.io/api, patchMergeKey).
_MERGE_KEYS = {
    "containers": "name", "initContainers": "name", "volumes": "name", "env": "name",
    "volumeMounts": "mountPath", "ownerReferences": "uid", "conditions": "type", "ports": "port",
    "imagePullSecrets": "name", "tolerations": "key",
}  # fmt: skip
_SET_LISTS = {"finalizers"}


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def strategic_merge_patch(target: Any, patch: Any) -> Any:
    """Merge patch, but known lists merge item by item."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            result.pop(key, None)
        elif isinstance(value, list) and key in _MERGE_KEYS:
            result[key] = _merge_list(result.get(key) or [], value, _MERGE_KEYS[key])
        elif isinstance(value, list) and key in _SET_LISTS:
            removed = set(patch.get(f"$deleteFromPrimitiveList/{key}", []))
            result[key] = [item for item in dict.fromkeys([*result.get(key, []), *value])
                           if item not in removed]  # fmt: skip
        else:
            result[key] = strategic_merge_patch(result.get(key), value)
    return result


def _merge_list(target: list[Any], patch: list[Any], key: str) -> list[Any]:
    result = [item for item in target if isinstance(item, dict)]
    for item in patch:
        if not isinstance(item, dict):
            continue
        at = next((i for i, old in enumerate(result) if old.get(key) == item.get(key)), None)
        if item.get("$patch") == "delete":
            if at is not None:
                result.pop(at)
        elif at is None:
            result.append(copy.deepcopy(item))
        else:
            result[at] = strategic_merge_patch(result[at], item)
    return result


def _rejected() -> errors.ApiError:
    message = "the server rejected our request due to an error in our request"
    return errors.ApiError(422, "Invalid", message, {})


def _pointer(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise _rejected()
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _child(value: Any, part: str) -> Any:
    try:
        return value[int(part)] if isinstance(value, list) else value[part]
    except (KeyError, IndexError, ValueError, TypeError):
        raise _rejected() from None


def _walk(document: Any, parts: list[str]) -> Any:
    for part in parts:
        document = _child(document, part)
    return document


def _set(document: Any, parts: list[str], value: Any, *, insert: bool) -> Any:
    if not parts:
        return value
    parent = _walk(document, parts[:-1])
    last = parts[-1]
    if isinstance(parent, list):
        at = len(parent) if last == "-" else int(last) if last.isdigit() else -1
        if not 0 <= at <= len(parent):
            raise _rejected()
        if insert:
            parent.insert(at, value)
        else:
            parent[at] = value
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise _rejected()
    return document


def _delete(document: Any, parts: list[str]) -> None:
    _walk(document, parts)
    parent = _walk(document, parts[:-1])
    if isinstance(parent, list):
        parent.pop(int(parts[-1]))
    else:
        del parent[parts[-1]]


def json_patch(target: JsonObject, operations: object) -> JsonObject:
    """RFC 6902. Raises ApiError 422 when a test fails or a path does not exist."""
    if not isinstance(operations, list):
        raise errors.bad_request(
            "json: cannot unmarshal object into Go value of type jsonpatch.Patch"
        )
    document: Any = copy.deepcopy(target)
    for operation in operations:
        document = _apply_operation(document, operation)
    if not isinstance(document, dict):
        raise _rejected()
    return document


def _apply_operation(document: Any, operation: Any) -> Any:
    parts = _pointer(str(operation.get("path", "")))
    match operation.get("op"):
        case "add":
            return _set(document, parts, copy.deepcopy(operation.get("value")), insert=True)
        case "replace":
            _walk(document, parts)
            return _set(document, parts, copy.deepcopy(operation.get("value")), insert=False)
        case "remove":
            _delete(document, parts)
        case "test":
            if _walk(document, parts) != operation.get("value"):
                raise _rejected()
        case "copy" | "move" as op:
            source = _pointer(str(operation.get("from", "")))
            value = copy.deepcopy(_walk(document, source))
            if op == "move":
                _delete(document, source)
            return _set(document, parts, value, insert=True)
        case _:
            raise _rejected()
    return document
