"""What an archive consists of: one entry per KVS key (facts/flux.md, section c)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One member. `name` is the KVS key with '/' for '.'; `link` is set for a symlink."""

    name: str
    data: bytes = b""
    link: str | None = None
    mtime: int = 0
