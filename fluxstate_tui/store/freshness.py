"""How current a source of data is."""

from __future__ import annotations

from enum import Enum


class Freshness(Enum):
    """What a source of data is doing."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"
    FORBIDDEN = "forbidden"
    ABSENT = "absent"
