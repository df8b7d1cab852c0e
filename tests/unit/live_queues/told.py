"""What a feed told the store, and a way to wait for more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.clock import Clock
from fluxstate_tui.flux.job import Job
from fluxstate_tui.live.events import JobsChanged, JobsListed, SourceChanged, StoreEvent
from fluxstate_tui.live.freshness import Freshness

TIMEOUT = 40.0


def context_of(cluster: Any, clock: Clock) -> OperationContext:
    """With `cluster`, or with what has of a Cluster what a feed uses. Nothing goes to the disk."""
    return OperationContext(cluster, clock, Path("/nowhere"), "me@test")


class Told:
    """All that the store was told; `jobs` is the picture that comes of it."""

    def __init__(self) -> None:
        self.history: list[StoreEvent] = []
        self.events: list[StoreEvent] = []
        self.jobs: dict[int, Job] = {}
        self._more = asyncio.Event()

    def emit(self, event: StoreEvent) -> None:
        if isinstance(event, JobsListed):
            self.jobs = dict(event.jobs)
        elif isinstance(event, JobsChanged):
            self.jobs.update({job.id: job for job in event.jobs})
        self.events.append(event)
        self.history.append(event)
        self._more.set()

    async def until(self, test: Callable[[StoreEvent], bool]) -> StoreEvent:
        """The first event that passes; events before it are forgotten."""
        async with asyncio.timeout(TIMEOUT):
            while True:
                while self.events:
                    event = self.events.pop(0)
                    if test(event):
                        return event
                self._more.clear()
                await self._more.wait()

    async def source(self, freshness: Freshness, words: str = "") -> SourceChanged:
        """The source becomes like this."""
        event = await self.until(
            lambda event: (
                isinstance(event, SourceChanged)
                and event.freshness is freshness
                and words in event.detail
            )
        )
        assert isinstance(event, SourceChanged)
        return event
