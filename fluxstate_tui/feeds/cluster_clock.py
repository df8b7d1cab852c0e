"""How the clock of a cluster goes, seen from ours: `offset` and `rate`, from its heartbeats."""

from __future__ import annotations

from collections import deque

_SAMPLES = 20
_SPAN = 5.0  # seconds of ours; below, a rate would be noise
_JITTER = 2.0  # seconds that messages may be late; clocks this close go at the same rate


class ClusterClock:
    """A message is always late, never early: so the largest difference is the truest."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=_SAMPLES)

    def heard(self, theirs: float, ours: float) -> tuple[float, float]:
        """A message with their time arrived at our time: (offset in seconds, rate) now."""
        self._samples.append((theirs, ours))
        rate = self._rate()
        if rate == 1.0:
            return max(theirs - ours for theirs, ours in self._samples), rate
        return theirs - ours, rate

    def _rate(self) -> float:
        theirs, ours = self._samples[0]
        last_theirs, last_ours = self._samples[-1]
        our_span, their_span = last_ours - ours, last_theirs - theirs
        if our_span < _SPAN or their_span <= 0 or abs(their_span - our_span) < _JITTER:
            return 1.0
        return their_span / our_span
