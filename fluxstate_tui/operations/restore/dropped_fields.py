"""What the API server would leave out of an object without a word. Pure."""

from __future__ import annotations

from typing import Any


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
