"""How current a source of data is."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Freshness(Enum):
    """What a source of data is doing. REFUSED: by somebody on the way to it.

    ASLEEP: nobody looks at it, so it is not asked.
    """

    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"
    FORBIDDEN = "forbidden"
    REFUSED = "refused"
    ABSENT = "absent"
    ASLEEP = "asleep"


class Source(Struct, frozen=True):
    """One source of data. `since` is when it got this freshness, in seconds by our clock."""

    name: str
    freshness: Freshness
    detail: str
    since: float

    def age(self, now: float) -> float | None:
        """Seconds since its data was last known to be current, or None while it is live."""
        return None if self.freshness is Freshness.LIVE else max(0.0, now - self.since)
