"""Tables (meta.k8s.io/v1) and PartialObjectMetadata: what `kubectl get` asks for."""

from __future__ import annotations

from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import Kind
from fluxstate_tui.sim.api.printers import DEFAULT, PRINTERS


def table(
    kind: Kind, objects: list[JsonObject], now: float, metadata: JsonObject, include: str
) -> JsonObject:
    """A Table; `include` is includeObject: None, Metadata (default) or Object."""
    columns, cells = PRINTERS.get(kind, DEFAULT)
    definitions = [
        {"name": name, "type": typ, "format": "name" if name == "Name" else "",
         "description": "", "priority": priority}
        for name, typ, priority in columns
    ]  # fmt: skip
    rows = []
    for obj in objects:
        row: JsonObject = {"cells": cells(obj, now)}
        if include == "Object":
            row["object"] = obj
        elif include != "None":
            row["object"] = partial_metadata(obj)
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    }


def partial_metadata(obj: JsonObject) -> JsonObject:
    """PartialObjectMetadata (meta.k8s.io/v1) of an object."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }
