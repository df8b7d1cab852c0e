"""The feeds of one MiniCluster, its queue and its catalogue of archives, and its guard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from fluxstate_tui.config import GuardSettings
from fluxstate_tui.dashboard.guarding import Guarding
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.feeds.catalogues import CatalogueFeed
from fluxstate_tui.feeds.queues import QueueFeed
from fluxstate_tui.flux.files import RemoteFiles
from fluxstate_tui.model.minicluster import MiniCluster
from fluxstate_tui.store.events import StoreEvent

if TYPE_CHECKING:
    from fluxstate_tui.flux.session import FluxSession
    from fluxstate_tui.operations.context import OperationContext


class Watched:
    """Runs the feeds of one MiniCluster as tasks until it is stopped."""

    def __init__(
        self,
        context: OperationContext,
        emit: Callable[[StoreEvent], None],
        minicluster: MiniCluster,
        guard: GuardSettings,
    ) -> None:
        self._cluster, clock = context.cluster, context.clock
        self.minicluster = minicluster
        self.queue = QueueFeed(self._cluster, emit, clock, minicluster)
        self.catalogue = CatalogueFeed(self._cluster, emit, clock, minicluster)
        self.guarding = Guarding(context, minicluster.ref, self.queue.checkpoints, emit, guard)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin feeding."""
        name = str(self.minicluster.ref)
        self._tasks = [
            asyncio.create_task(self.queue.run(), name=f"queue of {name}"),
            asyncio.create_task(self.catalogue.run(), name=f"catalogue of {name}"),
            asyncio.create_task(self.guarding.run(), name=f"guard of {name}"),
        ]

    def wake(self) -> None:
        """Something happened to its lead: do not wait for the next try."""
        self.queue.wake()
        self.catalogue.wake()

    async def stop(self) -> None:
        """End the feeds and wait until they have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def files(self) -> RemoteFiles | None:
        """The files that its lead sees, None while no lead was found."""
        at = self.queue.endpoint
        if at is None:
            return None
        return RemoteFiles(self._cluster, at.namespace, at.pod, at.container, at.mounts)

    def session(self) -> FluxSession:
        """The open conversation with the broker. Raises FluxstateError while there is none."""
        if self.queue.session is None and self.queue.checkpoints() is not None:
            raise FluxstateError(
                "this needs the Python bindings of Flux, which its lead container has not",
                safe="Nothing was sent.",
                advice="Submitting works; for single jobs use kubectl exec and flux job.",
            )
        if self.queue.session is None:
            raise FluxstateError(
                f"the broker of {self.minicluster.ref} cannot be reached now",
                safe="Nothing was sent.",
                advice="Wait until its queue is live again: the header says so.",
            )
        return self.queue.session
