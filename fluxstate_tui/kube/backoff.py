"""Waiting longer and longer between tries, with jitter, as client-go's reflector does."""

from __future__ import annotations

import asyncio
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


class Pause:
    """A wait that somebody else may cut short, because there is news."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._over = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Wait for so long, or until `end` is called."""
        self._over.clear()
        waits = {
            asyncio.create_task(self._pass(seconds)),
            asyncio.create_task(self._over.wait()),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()

    def end(self) -> None:
        """Whoever waits goes on now."""
        self._over.set()

    async def _pass(self, seconds: float) -> bool:
        await self._clock.sleep(seconds)
        return True
