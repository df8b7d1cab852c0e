"""How numbers, times and states are said: short, aligned, the same on every screen."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec import Struct

from fluxstate_tui.model.minicluster import Phase
from fluxstate_tui.store.freshness import Freshness


class Word(Struct, frozen=True):
    """A state as people see it: glyph, word, and the tone that gives the colour."""

    glyph: str
    word: str
    tone: str

    def __str__(self) -> str:
        return f"{self.glyph} {self.word}"


PHASES: Final[dict[Phase, Word]] = {
    Phase.INVALID: Word("✗", "Invalid", "bad"),
    Phase.REJECTED: Word("✗", "Rejected", "bad"),
    Phase.BLOCKED: Word("✗", "Blocked", "bad"),
    Phase.SCHEDULING: Word("◌", "Scheduling", "wait"),
    Phase.INIT: Word("◔", "Init", "wait"),
    Phase.STARTING: Word("◑", "Starting", "wait"),
    Phase.QUORUM: Word("◕", "Quorum", "wait"),
    Phase.UP: Word("●", "Up", "ok"),
    Phase.PAUSED: Word("‖", "Paused", "warn"),
    Phase.DEGRADED: Word("▲", "Degraded", "warn"),
    Phase.DEAD: Word("✗", "Dead", "bad"),
    Phase.FINISHED: Word("✓", "Finished", "off"),
    Phase.FAILED: Word("✗", "Failed", "bad"),
    Phase.DELETING: Word("▽", "Deleting", "off"),
    Phase.UNKNOWN: Word("?", "Unknown", "warn"),
}
DELETED: Final = Word("○", "Deleted", "off")

FRESHNESS: Final[dict[Freshness, Word]] = {
    Freshness.CONNECTING: Word("◌", "connecting", "wait"),
    Freshness.LIVE: Word("●", "live", "ok"),
    Freshness.STALE: Word("▲", "stale", "warn"),
    Freshness.FORBIDDEN: Word("✗", "no right", "bad"),
    Freshness.ABSENT: Word("○", "absent", "off"),
}


def age(seconds: float) -> str:
    """A span in at most four cells: 42s, 18m, 5h, 3d, 2y."""
    whole = max(0, int(seconds))
    for unit, size, until in (("s", 1, 100), ("m", 60, 100), ("h", 3600, 48), ("d", 86400, 1000)):
        if whole < size * until:
            return f"{whole // size}{unit}"
    return f"{whole // 31_536_000}y"


def duration(seconds: float) -> str:
    """A job's time as `flux jobs` prints it: 0.170s, 8.557s, 20.06s, 1.500m, 2.000h."""
    for unit, size, limit in (("s", 1, 60), ("m", 60, 3600), ("h", 3600, 86400)):
        if seconds < limit:
            return _four_digits(seconds / size) + unit
    return _four_digits(seconds / 86400) + "d"


def _four_digits(value: float) -> str:
    whole = len(str(int(value)))
    return f"{value:.{max(0, 4 - whole)}f}"


def size(octets: int) -> str:
    """Bytes in at most six cells: 812 B, 14 kB, 1.4 MB."""
    if octets < 1000:
        return f"{octets} B"
    value = float(octets)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 1000:
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{value:.0f} PB"


def moment(timestamp: float) -> str:
    """Local date and time of seconds since the epoch; impossible times are shown as numbers."""
    try:
        return datetime.fromtimestamp(timestamp).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return str(timestamp)


def plural(count: int, noun: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
