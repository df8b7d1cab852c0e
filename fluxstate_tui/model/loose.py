"""Reading objects that somebody else wrote: a field of the wrong shape is as good as none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_map(value: object) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_maps(value: object) -> list[Mapping[str, Any]]:
    """The mappings of a list; an empty list if it is none."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def as_whole(value: object) -> int | None:
    """The value if it is a whole number, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
