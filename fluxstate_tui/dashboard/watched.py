"""The feeds of one MiniCluster: its queue and its catalogue of archives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from fluxstate_tui.clock import Clock
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.feeds.catalogues import CatalogueFeed
from fluxstate_tui.feeds.queues import QueueFeed
from fluxstate_tui.flux.files import RemoteFiles
from fluxstate_tui.model.minicluster import MiniCluster
from fluxstate_tui.store.events import StoreEvent

if TYPE_CHECKING:
    from fluxstate_tui.flux.session import FluxSession
    from fluxstate_tui.kube.session import Cluster


class Watched:
    """Runs the feeds of one MiniCluster as tasks until it is stopped."""

    def __init__(
        self,
        cluster: Cluster,
        emit: Callable[[StoreEvent], None],
        clock: Clock,
        minicluster: MiniCluster,
    ) -> None:
        self._cluster = cluster
        self.minicluster = minicluster
        self.queue = QueueFeed(cluster, emit, clock, minicluster)
        self.catalogue = CatalogueFeed(cluster, emit, clock, minicluster)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin feeding."""
        name = str(self.minicluster.ref)
        self._tasks = [
            asyncio.create_task(self.queue.run(), name=f"queue of {name}"),
            asyncio.create_task(self.catalogue.run(), name=f"catalogue of {name}"),
        ]

    def wake(self) -> None:
        """Something happened to its lead: do not wait for the next try."""
        self.queue.wake()
        self.catalogue.wake()

    def stop_soon(self) -> None:
        """End the feeds without waiting for it."""
        for task in self._tasks:
            task.cancel()

    async def stop(self) -> None:
        """End the feeds and wait until they have ended."""
        self.stop_soon()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def files(self) -> RemoteFiles | None:
        """The files that its lead sees, None while no lead was found."""
        at = self.queue.endpoint
        if at is None:
            return None
        return RemoteFiles(self._cluster, at.namespace, at.pod, at.container)

    def session(self) -> FluxSession:
        """The open conversation with the broker. Raises FluxstateError while there is none."""
        if self.queue.session is None:
            raise FluxstateError(
                f"the broker of {self.minicluster.ref} cannot be reached now",
                safe="Nothing was sent.",
                advice="Wait until its queue is live again: the header says so.",
            )
        return self.queue.session
