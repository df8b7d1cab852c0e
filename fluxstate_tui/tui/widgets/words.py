"""The states of MiniClusters, jobs and sources as people see them."""

from __future__ import annotations

from typing import Final

from fluxstate_tui.formatting import Word
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.minicluster.minicluster import Phase

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
    Phase.READING: Word("◌", "Reading", "off"),
}


DELETED: Final = Word("○", "Deleted", "off")


FRESHNESS: Final[dict[Freshness, Word]] = {
    Freshness.CONNECTING: Word("◌", "connecting", "wait"),
    Freshness.LIVE: Word("●", "live", "ok"),
    Freshness.STALE: Word("▲", "stale", "warn"),
    Freshness.FORBIDDEN: Word("✗", "no right", "bad"),
    Freshness.REFUSED: Word("✗", "refused on the way", "bad"),
    Freshness.ABSENT: Word("○", "absent", "off"),
    Freshness.ASLEEP: Word("○", "not watched", "off"),
}
