"""Puts hostile text wherever a cluster, an archive or Flux could have put it."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import Any

from msgspec import Struct, structs

KEPT = ("uid", "owner_uid", "cluster_uid", "object_uid", "source", "phase", "state", "kind")
"""What our own parsing has checked, or what rows are found by."""


def poisoned(value: Any, text: str) -> Any:
    """The same value with every text in it replaced, at any depth."""
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return text
    if isinstance(value, tuple | list):
        return type(value)(poisoned(item, text) for item in value)
    if isinstance(value, dict):
        return {key: poisoned(item, text) for key, item in value.items()}
    if isinstance(value, Struct):
        return structs.replace(value, **_fields(structs.asdict(value), text))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.init]
        return dataclasses.replace(
            value, **_fields({name: getattr(value, name) for name in names}, text)
        )
    return value


def _fields(values: dict[str, Any], text: str) -> dict[str, Any]:
    return {name: poisoned(item, text) for name, item in values.items() if name not in KEPT}
