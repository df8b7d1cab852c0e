"""A clock for tests of waiting: pauses pass at once, patience lasts until it is released."""

from __future__ import annotations

import asyncio

from fluxstate_tui.kube.watch import SILENCE_SECONDS
from fluxstate_tui.live.cluster_feed import HEARTBEAT_SECONDS

_PATIENCE = (1.0, SILENCE_SECONDS, HEARTBEAT_SECONDS)


class QuickClock:
    """`sleep` moves the time on at once, but for the patience with a silent stream."""

    def __init__(self, start: float = 1_795_300_000.0, *, sluggish: bool = False) -> None:
        self.time = start
        self.sluggish = sluggish
        self.pauses: list[float] = []
        self.patient: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Pass, or wait for `lose_patience`."""
        if self.sluggish or seconds in _PATIENCE or seconds > 300:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.patient.append((seconds, waiting))
            await waiting
            return
        self.pauses.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)

    async def lose_patience(self, seconds: float) -> None:
        """Wait until somebody is patient for so long, and let that time pass."""
        async with asyncio.timeout(10):
            while True:
                for entry in self.patient:
                    if entry[0] == seconds and not entry[1].done():
                        self.time += seconds
                        entry[1].set_result(None)
                        return
                await asyncio.sleep(0.001)
