"""Tells the store how the API server's clock goes, so that ages are right by it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from fluxstate_tui.store.events import ServerClockSeen, StoreEvent

TOLERANCE = 1.0  # seconds: the `Date` header has no fractions
_SAMPLES = 6
_SHORTEST_BASE = 5.0  # seconds between two samples for a rate
_REAL_DRIFT = 0.2  # less is the header's coarseness, not a clock that runs at another speed


class ServerTime:
    """Follows the offset (server's clock minus ours, seconds); tells only what is news."""

    def __init__(self, emit: Callable[[StoreEvent], None]) -> None:
        self._emit = emit
        self._samples: deque[tuple[float, float]] = deque(maxlen=_SAMPLES)
        self._told: ServerClockSeen | None = None

    def seen(self, offset: float, at: float) -> None:
        """The offset as it was at `at` (our clock)."""
        self._samples.append((at, offset))
        news = ServerClockSeen(offset, self._rate(), at)
        told = self._told
        if told is not None and told.rate == news.rate:
            expected = told.offset + (at - told.at) * (told.rate - 1)
            if abs(offset - expected) <= TOLERANCE:
                return
        self._told = news
        self._emit(news)

    def _rate(self) -> float:
        """How many of its seconds pass in one of ours: not 1 only in a simulation."""
        (first_at, first), (last_at, last) = self._samples[0], self._samples[-1]
        if last_at - first_at < _SHORTEST_BASE:
            return 1.0
        drift = (last - first) / (last_at - first_at)
        return 1.0 if abs(drift) < _REAL_DRIFT else round(1 + drift, 1)
