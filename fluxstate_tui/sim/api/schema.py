"""Structural schemas of custom resources: pruning, defaults and validation (apiextensions v1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fluxstate_tui.sim.api.errors import Cause
from fluxstate_tui.sim.api.json_types import JsonObject

_ABSENT = object()
_JSON_TYPES: dict[type, str] = {
    bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array",
    type(None): "null",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Schema:
    """One node: `type` object, array, string, integer, boolean or any (kept as it is)."""

    type: str
    properties: dict[str, Schema] = field(default_factory=dict)
    items: Schema | None = None
    values: Schema | None = None  # additionalProperties
    required: tuple[str, ...] = ()
    default: object = _ABSENT
    format: str = ""

    def openapi(self) -> JsonObject:
        """The node as OpenAPI v3, for CRDs and /openapi."""
        if self.type == "any":
            return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        node: JsonObject = {"type": self.type}
        if self.format:
            node["format"] = self.format
        if self.default is not _ABSENT:
            node["default"] = self.default
        if self.properties:
            node["properties"] = {name: sub.openapi() for name, sub in self.properties.items()}
        if self.values is not None:
            node["additionalProperties"] = self.values.openapi()
        if self.items is not None:
            node["items"] = self.items.openapi()
        if self.required:
            node["required"] = list(self.required)
        return node


def text(default: object = _ABSENT) -> Schema:
    """A string."""
    return Schema("string", default=default)


def integer(default: object = _ABSENT, width: str = "int32") -> Schema:
    """An integer."""
    return Schema("integer", default=default, format=width)


def boolean(default: object = _ABSENT) -> Schema:
    """True or false."""
    return Schema("boolean", default=default)


def any_value() -> Schema:
    """Kept as it is: embedded core types whose schema the simulation does not spell out."""
    return Schema("any")


def mapping(values: Schema) -> Schema:
    """An object with free keys."""
    return Schema("object", values=values)


def array(items: Schema) -> Schema:
    """A list."""
    return Schema("array", items=items)


def record(properties: dict[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    """An object with known fields."""
    return Schema("object", properties=properties, required=required)


def json_type(value: object) -> str:
    """The JSON word for a value's type."""
    return _JSON_TYPES.get(type(value), "object")


def prune(schema: Schema, value: Any, path: str = "", unknown: list[str] | None = None) -> Any:
    """The value without unknown fields; their paths are appended to `unknown`."""
    if schema.type == "object" and isinstance(value, dict):
        if schema.values is not None:
            inner = schema.values
            return {key: prune(inner, sub, f"{path}.{key}", unknown) for key, sub in value.items()}
        if not schema.properties:
            return value
        kept: JsonObject = {}
        for key, sub in value.items():
            where = f"{path}.{key}" if path else key
            if key in schema.properties:
                kept[key] = prune(schema.properties[key], sub, where, unknown)
            elif unknown is not None:
                unknown.append(where)
        return kept
    if schema.type == "array" and isinstance(value, list) and schema.items is not None:
        inner = schema.items
        return [prune(inner, sub, f"{path}[{i}]", unknown) for i, sub in enumerate(value)]
    return value


def apply_defaults(schema: Schema, value: Any) -> Any:
    """Fill in defaults, also inside objects and lists that are present."""
    if schema.type == "object" and isinstance(value, dict):
        if schema.values is not None:
            inner = schema.values
            return {key: apply_defaults(inner, sub) for key, sub in value.items()}
        filled = {}
        for key, sub in value.items():
            known = schema.properties.get(key)
            if sub is None and known is not None and known.default is not _ABSENT:
                sub = known.default
            filled[key] = apply_defaults(known, sub) if known is not None else sub
        for key, known in schema.properties.items():
            if key not in filled and known.default is not _ABSENT:
                filled[key] = known.default
        return filled
    if schema.type == "array" and isinstance(value, list) and schema.items is not None:
        inner = schema.items
        return [apply_defaults(inner, sub) for sub in value]
    return value


def validate(schema: Schema, value: Any, path: str = "") -> list[Cause]:
    """What is wrong, in the words of the API server."""
    actual = json_type(value)
    if schema.type != "any" and actual != schema.type:
        message = (
            f'Invalid value: "{actual}": {path} in body must be of type {schema.type}: "{actual}"'
        )
        return [Cause("FieldValueTypeInvalid", message, path)]
    causes: list[Cause] = []
    if isinstance(value, dict) and schema.type == "object":
        for name in schema.required:
            if name not in value:
                where = f"{path}.{name}" if path else name
                causes.append(Cause("FieldValueRequired", "Required value", where))
        for key, sub in value.items():
            known = schema.values if schema.values is not None else schema.properties.get(key)
            if known is not None:
                causes += validate(known, sub, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and schema.items is not None:
        for i, sub in enumerate(value):
            causes += validate(schema.items, sub, f"{path}[{i}]")
    return causes
