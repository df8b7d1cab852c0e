"""A clock that first runs as fast as it can and then in real time: a world with a past."""

from __future__ import annotations

import asyncio
import time

from fluxstate_tui.sim.clock import VirtualClock


class WarmClock(VirtualClock):
    """Virtual time (`advance`) until `go_live`, from then on real time, `speed` times as fast."""

    def __init__(self, speed: float = 1.0, start: float | None = None) -> None:
        if speed <= 0:
            raise ValueError("speed must be greater than 0")
        super().__init__(time.time() if start is None else start)
        self.speed = speed
        self._live_since: float | None = None

    def now(self) -> float:
        """Seconds since the epoch by this clock."""
        if self._live_since is None:
            return super().now()
        return super().now() + (time.monotonic() - self._live_since) * self.speed

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock."""
        if self._live_since is None:
            await super().sleep(seconds)
        else:
            await asyncio.sleep(max(0.0, seconds) / self.speed)

    def go_live(self) -> None:
        """Let time run by itself; whoever sleeps is woken when it is due."""
        loop = asyncio.get_running_loop()
        now = super().now()
        self._live_since = time.monotonic()
        while self._sleepers:
            when, _, future = self._sleepers.pop()
            loop.call_later(max(0.0, when - now) / self.speed, _wake, future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
