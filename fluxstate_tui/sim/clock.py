"""The simulation's clocks: real time that runs faster, and time that only tests move."""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from collections.abc import Coroutine
from itertools import count
from typing import Any, TypeVar

SETTLE_ROUNDS = 50
"""Loop turns that a woken task gets before virtual time goes on."""


PATIENCE = 0.3
"""Real seconds that `VirtualClock.run` waits for threads when nobody sleeps before it gives up."""

T = TypeVar("T")


class ScaledClock:
    """Real time, `speed` times as fast, counted from `start` (seconds since the epoch)."""

    def __init__(self, speed: float = 1.0, start: float | None = None) -> None:
        if speed <= 0:
            raise ValueError("speed must be greater than 0")
        self.speed = speed
        self._start = time.time() if start is None else start
        self._origin = time.monotonic()

    def now(self) -> float:
        """Seconds since the epoch by this clock."""
        return self._start + (time.monotonic() - self._origin) * self.speed

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock, which are fewer real ones."""
        await asyncio.sleep(max(0.0, seconds) / self.speed)


class VirtualClock:
    """Time that stands still until `advance` moves it, event by event."""

    speed = 0.0

    def __init__(self, start: float = 1_795_300_000.0) -> None:
        self._now = start
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        """Seconds since the epoch by this clock."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return once `advance` has moved the time that far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass: wake every sleeper in order and let it act before going on."""
        end = self._now + seconds
        await self.settle()
        while self._next_at() <= end:
            await self._wake_next()
        self._now = end
        await self.settle()

    async def run(
        self,
        work: Coroutine[Any, Any, T],
        *,
        limit: float = 86400.0,
        patience: float = PATIENCE,
    ) -> T:
        """Let time pass, event by event, until the work is done.

        TimeoutError after `limit` s, or when nothing sleeps and nothing comes of waiting for
        `patience` real seconds.
        """
        end = self._now + limit
        task = asyncio.get_running_loop().create_task(work)
        idle_since = time.monotonic()
        try:
            await self.settle()
            while not task.done():
                if self._next_at() <= end:
                    await self._wake_next()
                    idle_since = time.monotonic()
                elif self._sleepers or time.monotonic() > idle_since + patience:
                    raise TimeoutError("the work waits for something that never happens")
                else:
                    await asyncio.sleep(0.0005)
                    await self.settle()
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _next_at(self) -> float:
        """When the next one wakes up, infinity when nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else math.inf

    async def _wake_next(self) -> None:
        when, _, future = heapq.heappop(self._sleepers)
        self._now = max(self._now, when)
        future.set_result(None)
        await self.settle()

    async def settle(self) -> None:
        """Give every task that can run the chance to do so."""
        for _ in range(SETTLE_ROUNDS):
            await asyncio.sleep(0)
