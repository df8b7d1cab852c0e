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


# The names of sources: `pods`, `queue:<uid of a MiniCluster>`.


def queue_source(uid: str) -> str:
    """The live queue of one MiniCluster."""
    return f"queue:{uid}"


def catalog_source(uid: str) -> str:
    """The catalog of one MiniCluster."""
    return f"catalog:{uid}"


def parts_of_source(name: str) -> tuple[str, str]:
    """What is read, and of which MiniCluster ('' for all of them)."""
    what, _, uid = name.partition(":")
    return what, uid


class Source(Struct, frozen=True):
    """One source of data. `since` is when it got this freshness, in seconds by our clock."""

    name: str
    freshness: Freshness
    detail: str
    since: float

    def age(self, now: float) -> float | None:
        """Seconds since its data was last known to be current, or None while it is live."""
        return None if self.freshness is Freshness.LIVE else max(0.0, now - self.since)
