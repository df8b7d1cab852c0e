"""The feeds of one MiniCluster: its queue, its catalog of archives, and its guard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fluxstate_tui.broker.broker import SessionBroker
from fluxstate_tui.broker.commands import look
from fluxstate_tui.broker.files import RemoteFiles
from fluxstate_tui.broker.rpc import nodes_of, tallies_of
from fluxstate_tui.broker.session import CannotStart
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.job import JobResult
from fluxstate_tui.live.catalog_feed import CatalogFeed
from fluxstate_tui.live.events import (
    BrokerSeen,
    CountsSeen,
    QueuesSeen,
    SourceChanged,
    StoreEvent,
)
from fluxstate_tui.live.freshness import Freshness, queue_source
from fluxstate_tui.live.guard import Guarding
from fluxstate_tui.live.queue_feed import Lead, QueueFeed

if TYPE_CHECKING:
    from fluxstate_tui.broker.context import OperationContext
    from fluxstate_tui.broker.locate import Endpoint
    from fluxstate_tui.broker.session import FluxSession
    from fluxstate_tui.config import GuardSettings
    from fluxstate_tui.minicluster.minicluster import MiniCluster

ASK_AGAIN_SECONDS = (3.0, 10.0, 30.0, 60.0, 120.0)
_LOADING = frozenset({"none", "join", "init"})  # nothing of the queue can be asked yet


class Asking:
    """When one is asked that nobody looks at: once for each lead, again if it did not answer."""

    def __init__(self) -> None:
        self._pod = ""
        self._answered = False
        self._tries = 0
        self._last = 0.0

    def due(self, pod: str) -> float | None:
        """When to ask that lead's pod (its uid), in seconds by our clock; None: no more."""
        if pod != self._pod:
            return 0.0
        if self._answered or self._tries >= len(ASK_AGAIN_SECONDS):
            return None
        return self._last + ASK_AGAIN_SECONDS[self._tries - 1]

    def begin(self, pod: str, now: float) -> None:
        """It is asked."""
        self._tries = self._tries + 1 if pod == self._pod else 1
        self._pod, self._answered, self._last = pod, False, now

    def answered(self, pod: str) -> None:
        """It has said all."""
        self._pod, self._answered = pod, True

    def again(self) -> None:
        """Something happened to its pods: what it said may not be so any more."""
        self._answered, self._tries = False, 1 if self._pod else 0


class Watched:
    """Feeds the store while it is connected; else it is asked only when somebody says so."""

    def __init__(
        self,
        context: OperationContext,
        emit: Callable[[StoreEvent], None],
        minicluster: MiniCluster,
        guard: GuardSettings,
        lead: Lead,
    ) -> None:
        self._context = context
        self._emit = emit
        self._lead = lead
        self.minicluster = minicluster
        self.queue = QueueFeed(context, self._seen, minicluster, lead)
        self.catalog = CatalogFeed(context, emit, minicluster, lead)
        self.guarding = Guarding(context, minicluster.ref, self.queue.checkpoints, emit, guard)
        self._started: tuple[bool, ...] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._ending: asyncio.Task[None] | None = None
        self.asking = Asking()

    @property
    def connected(self) -> bool:
        """Its feeds run."""
        return bool(self._tasks)

    def connect(self) -> None:
        """Begin feeding."""
        if not self._tasks:
            name, before = str(self.minicluster.ref), self._ending
            feeds = {"queue": self.queue.run, "catalog": self.catalog.run}
            feeds["guard"] = self.guarding.run
            self._tasks = [
                asyncio.create_task(_after(before, run), name=f"{what} of {name}")
                for what, run in feeds.items()
            ]

    def disconnect(self) -> asyncio.Task[None]:
        """End feeding; the last picture stays, with its age. The task ends when all has ended."""
        tasks, self._tasks = self._tasks, []
        self._ending = asyncio.create_task(_end(tasks), name=f"end of {self.minicluster.ref}")
        return self._ending

    def sleep(self) -> asyncio.Task[None]:
        """As disconnect, and say that nobody watches it any more."""
        if self.queue.endpoint is not None:
            self.asking.answered(self.queue.endpoint.pod_uid)
        ending = self.disconnect()
        self._asleep()
        self.guarding.rest()
        return ending

    async def stop(self) -> None:
        """End the feeds and wait until they have ended."""
        await self.disconnect()

    def wake(self) -> None:
        """Something happened to its lead: do not wait for the next try."""
        self.queue.wake()
        self.catalog.wake()

    async def ask_once(self) -> None:
        """Ask for what a row shows, without staying connected.

        Raises NoLead while no lead runs, else what is in the way.
        """
        endpoint = await self._lead()
        self.asking.begin(endpoint.pod_uid, self._context.clock.now())
        try:
            async with self._context.brokers.session(endpoint) as session:
                whole = await self._ask(session)
        except CannotStart as error:
            if not error.no_bindings:
                raise
            whole = await self._ask_by_commands(endpoint)
        await self.catalog.look()
        if whole:
            self.asking.answered(endpoint.pod_uid)
        self._asleep()

    async def _ask(self, session: FluxSession) -> bool:
        """Whether all its brokers are there: else it is asked again."""
        ref, broker = self.minicluster.ref, await SessionBroker.over(session)
        ahead = await broker.now() - self._context.clock.now()
        now = self._context.clock.now()
        self._emit(
            BrokerSeen(
                cluster=ref,
                state=broker.state,
                version=broker.version,
                clock_offset=ahead,
                clock_rate=1.0,
                at=now,
            )
        )
        if broker.state in _LOADING:
            raise FluxstateError(f"the lead broker is starting (state {broker.state})")
        nodes = nodes_of(await session.rpc("resource.status", {}))
        self._emit(QueuesSeen(ref, await broker.queues(), nodes, now))
        counts = tallies_of(await session.rpc("job-list.job-stats", {}))
        self._emit(CountsSeen(ref, *counts, now))
        return broker.state == "run"

    async def _ask_by_commands(self, endpoint: Endpoint) -> bool:
        ref, found = self.minicluster.ref, await look(self._context.cluster, endpoint)
        now = self._context.clock.now()
        self._emit(
            BrokerSeen(
                cluster=ref,
                state=found.state,
                version=found.version,
                clock_offset=0.0,
                clock_rate=1.0,
                at=now,
            )
        )
        self._emit(QueuesSeen(ref, found.queues, found.nodes, now))
        jobs = found.jobs
        running = sum(job.state.running for job in jobs)
        pending = sum(job.state.pending for job in jobs)
        done = sum(job.result is JobResult.COMPLETED for job in jobs)
        failed = len(jobs) - running - pending - done
        self._emit(
            CountsSeen(
                cluster=ref, pending=pending, running=running, done=done, failed=failed, at=now
            )
        )
        return found.state == "run"

    def _asleep(self) -> None:
        source, now = queue_source(self.minicluster.ref.uid), self._context.clock.now()
        why = "Nobody looks at it: it is asked when somebody does."
        self._emit(SourceChanged(source, Freshness.ASLEEP, why, now))

    def _seen(self, event: StoreEvent) -> None:
        """A queue that was stopped or started: somebody may have saved it."""
        self._emit(event)
        if isinstance(event, QueuesSeen):
            started = tuple(queue.started for queue in event.queues)
            before, self._started = self._started, started
            if before is not None and before != started:
                self.catalog.wake()

    def files(self) -> RemoteFiles | None:
        """The files that its lead sees, None while no lead was found."""
        at = self.queue.endpoint
        if at is None:
            return None
        place = (at.namespace, at.pod, at.container)
        return RemoteFiles(self._context.cluster, *place, at.mounts)

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


async def _after(before: asyncio.Task[None] | None, run: Callable[[], Awaitable[None]]) -> None:
    """Once the same feeds of before have ended."""
    if before is not None and not before.done():
        await asyncio.wait([before])
    await run()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
