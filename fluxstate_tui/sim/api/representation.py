"""Content negotiation: plain objects, Tables and PartialObjectMetadata, as `Accept` asks."""

from __future__ import annotations

from dataclasses import dataclass

from fluxstate_tui.sim.api import errors
from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.kinds import Kind
from fluxstate_tui.sim.api.table import partial_metadata, table


@dataclass(frozen=True, slots=True)
class Representation:
    """How one response shows objects; `shape` is "", Table, PartialObjectMetadata or ...List."""

    shape: str = ""
    include: str = "Metadata"

    def one(self, kind: Kind, obj: JsonObject, now: float) -> JsonObject:
        """A single object, in a response or a watch event."""
        if self.shape == "Table":
            version = obj["metadata"].get("resourceVersion", "")
            return table(kind, [obj], now, {"resourceVersion": version}, self.include)
        if self.shape.startswith("PartialObjectMetadata"):
            return partial_metadata(obj)
        return obj

    def many(
        self, kind: Kind, items: list[JsonObject], metadata: JsonObject, now: float
    ) -> JsonObject:
        """A list."""
        if self.shape == "Table":
            return table(kind, items, now, metadata, self.include)
        if self.shape.startswith("PartialObjectMetadata"):
            return {
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "items": [partial_metadata(item) for item in items],
            }
        if kind.custom:
            metadata = {"continue": "", **metadata}
            shown = items
        else:
            # Items of built-in lists carry no apiVersion and kind.
            shown = [
                {key: value for key, value in item.items() if key not in {"apiVersion", "kind"}}
                for item in items
            ]
        return {
            "kind": f"{kind.kind}List",
            "apiVersion": kind.api_version,
            "metadata": metadata,
            "items": shown,
        }


def negotiate(accept: str, include: str) -> Representation:
    """The first acceptable representation. Raises ApiError 406."""
    if not accept.strip():
        return Representation()
    for choice in accept.split(","):
        media, *parameters = [part.strip() for part in choice.split(";")]
        if media not in {"application/json", "*/*", "application/*", "application/yaml"}:
            continue
        options = dict(part.split("=", 1) for part in parameters if "=" in part)
        shape = options.get("as", "")
        if shape in {"", "Table", "PartialObjectMetadata", "PartialObjectMetadataList"}:
            return Representation(shape, include or "Metadata")
    raise errors.not_acceptable()
