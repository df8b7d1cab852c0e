"""Waiting longer and longer between tries, with jitter, as client-go's reflector does."""

from __future__ import annotations

import random

from fluxstate_tui.clock import Clock

FIRST_SECONDS = 0.8
LONGEST_SECONDS = 30.0
HEALTHY_SECONDS = 120.0


class Backoff:
    """0.8 s, doubling to 30 s, each stretched by up to 100 %; two quiet minutes start it anew.

    The jitter keeps many dashboards from coming back in the same moment.
    """

    def __init__(self, clock: Clock, dice: random.Random | None = None) -> None:
        self._clock = clock
        self._dice = dice or random.Random()
        self._next = FIRST_SECONDS
        self._last = float("-inf")

    def delay(self) -> float:
        """Seconds to wait before the next try."""
        now = self._clock.now()
        if now - self._last > HEALTHY_SECONDS:
            self._next = FIRST_SECONDS
        base = self._next
        self._next = min(base * 2, LONGEST_SECONDS)
        delay = min(base * (1 + self._dice.random()), LONGEST_SECONDS)
        self._last = now + delay
        return delay
