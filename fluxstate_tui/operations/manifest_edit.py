"""A MiniCluster object made ready to be created again, with another size. Pure."""

from __future__ import annotations

import copy
from typing import Any

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def fresh(raw: dict[str, Any], *, size: int | None = None) -> dict[str, Any]:
    """The object without what the API server added: uid, versions, times, status, owners.

    With `size`, maxSize is raised and minSize lowered to fit, as the operator would otherwise
    ignore the object (facts/operator.md, 1.3).
    """
    metadata = raw.get("metadata") or {}
    kept = {key: metadata[key] for key in ("name", "namespace", "labels") if metadata.get(key)}
    annotations = dict(metadata.get("annotations") or {})
    annotations.pop(_LAST_APPLIED, None)
    if annotations:
        kept["annotations"] = annotations
    spec = copy.deepcopy(raw.get("spec") or {})
    if size is not None:
        spec["size"] = size
        if spec.get("maxSize") and spec["maxSize"] < size:
            spec["maxSize"] = size
        if spec.get("minSize") and spec["minSize"] > size:
            spec["minSize"] = size
    return {
        "apiVersion": raw.get("apiVersion"),
        "kind": raw.get("kind"),
        "metadata": copy.deepcopy(kept),
        "spec": spec,
    }


def dropped(sent: Any, stored: Any, path: str = "spec") -> list[str]:
    """Fields that were sent and that the API server silently left out, as paths."""
    if isinstance(sent, dict) and isinstance(stored, dict):
        found = []
        for key, value in sent.items():
            if value in ({}, [], None):
                continue
            where = f"{path}.{key}"
            found += dropped(value, stored[key], where) if key in stored else [where]
        return found
    if isinstance(sent, list) and isinstance(stored, list) and len(sent) == len(stored):
        return [
            place
            for index, (mine, theirs) in enumerate(zip(sent, stored, strict=True))
            for place in dropped(mine, theirs, f"{path}[{index}]")
        ]
    return []
