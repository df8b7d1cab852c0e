"""A clock that slows down with the machine: a busy computer must not look like a slow cluster."""

from __future__ import annotations

import asyncio
import time

TICK = 0.01
# A tick that comes later than that was kept waiting by others; that time does not count.
MOST = 0.02


class PatientClock:
    """Runs `speed` times as fast as real time, but only while this process gets its turn.

    It runs while anybody sleeps or has slept by it, in the event loop of the first sleeper.
    """

    def __init__(self, speed: float, start: float) -> None:
        self.speed = speed
        self._now = start
        self._ticking: asyncio.Task[None] | None = None

    def now(self) -> float:
        """Seconds since the epoch by this clock."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock."""
        if self._ticking is None:
            self._ticking = asyncio.create_task(self._tick())
        end = self._now + seconds
        while self._now < end:  # noqa: ASYNC110  (an event per sleeper costs more)
            await asyncio.sleep(max(TICK, (end - self._now) / self.speed))

    async def _tick(self) -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            self._now += min(now - before, MOST) * self.speed
            before = now
