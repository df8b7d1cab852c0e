"""What is going to happen in an instance, and the logical time at which it does.

One sleeping task for a whole instance, however many jobs run. Events get the time at which they
were due, not the time at which a busy computer came round to them, so that a simulation at 100 x
speed shows the same runtimes as one at normal speed.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from fluxstate_tui.clock import Clock

TICK = 0.00002
"""Seconds between two events that follow at once, about as in a real instance."""


AT_A_TIME = 100
"""Events before others get their turn: a busy instance must not stop the simulated cluster."""


class Agenda:
    """Callbacks in the order of their time. Must be closed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._order = count()
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._sleeper: asyncio.Task[None] | None = None
        self._wakes_at = 0.0
        self._due: float | None = None
        self._last = 0.0
        self._closed = False

    def now(self) -> float:
        """Seconds since the epoch; never goes back, two calls never give the same."""
        reading = self._clock.now() if self._due is None else self._due
        self._last = max(reading, self._last + TICK)
        return self._last

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call it that many seconds from now (from the current event's time, if in one)."""
        base = self._clock.now() if self._due is None else self._due
        self.at(base + seconds, callback)

    def at(self, when: float, callback: Callable[[], None]) -> None:
        """Call it at that time; at once (but not now) when that is past."""
        if self._closed:
            return
        heapq.heappush(self._heap, (when, next(self._order), callback))
        if self._due is None:
            self._arm()

    def _arm(self) -> None:
        if self._closed or not self._heap:
            return
        when = self._heap[0][0]
        if self._sleeper is not None and not self._sleeper.done():
            if self._wakes_at <= when:
                return
            self._sleeper.cancel()
        self._wakes_at = when
        self._sleeper = asyncio.get_running_loop().create_task(self._sleep(when))

    async def _sleep(self, when: float) -> None:
        await self._clock.sleep(max(0.0, when - self._clock.now()))
        self._sleeper = None
        self._run_due()
        self._arm()

    def _run_due(self) -> None:
        for _ in range(AT_A_TIME):
            if self._closed or not self._heap or self._heap[0][0] > self._clock.now():
                return
            when, _, callback = heapq.heappop(self._heap)
            # Never before what has happened already: delays count from when it is logged.
            self._due = max(when, self._last)
            try:
                callback()
            except Exception as error:  # one broken job must not stop all others
                context = {"message": "an event of the simulated Flux failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)
            finally:
                self._due = None

    async def close(self) -> None:
        """Forget everything."""
        self.stop()
        if self._sleeper is not None:
            with suppress(asyncio.CancelledError):
                await self._sleeper
            self._sleeper = None

    def stop(self) -> None:
        """Nothing happens any more (the broker was killed)."""
        self._closed = True
        self._heap.clear()
        if self._sleeper is not None:
            self._sleeper.cancel()
