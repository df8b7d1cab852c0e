"""The queue of one MiniCluster, live: keeps a conversation with its lead broker, come what may."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fluxstate_tui.errors import FluxstateError, said
from fluxstate_tui.feeds.ended import ended
from fluxstate_tui.feeds.queue_story import QueueStory
from fluxstate_tui.flux.checkpoints import Checkpoints, CommandCheckpoints, SessionCheckpoints
from fluxstate_tui.flux.endpoint import Endpoint, NoLead
from fluxstate_tui.flux.fallback import look
from fluxstate_tui.flux.locate import locate
from fluxstate_tui.flux.session import CannotStart, FluxSession
from fluxstate_tui.flux.submit import SubmitOptions, Submitted, submit
from fluxstate_tui.flux.submit_command import submit_by_command
from fluxstate_tui.kube.errors import Forbidden
from fluxstate_tui.store.events import SourceChanged, StoreEvent
from fluxstate_tui.store.freshness import Freshness

if TYPE_CHECKING:
    from fluxstate_tui.clock import Clock
    from fluxstate_tui.flux.protocol import Message
    from fluxstate_tui.kube.session import Cluster
    from fluxstate_tui.model.minicluster import MiniCluster

_log = logging.getLogger(__name__)

STALE_AFTER = 10.0  # seconds without a word: heartbeats come every 3 s
GIVE_UP_AFTER = 30.0
COMMANDS_EVERY = 5.0
COMMANDS_BEFORE_RETRY = 24  # looks by commands until the remote program is tried again
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
_AT_ONCE = 1000  # messages that are folded before the store is told


class QueueFeed:
    """Tells the store about the queue of one MiniCluster until its task is cancelled.

    `session` is the open conversation, for operations to use, or None. Source `queue:<uid>` is
    CONNECTING, then LIVE (its detail names a fall-back in use), STALE with the reason while the
    connection is being made again, ABSENT when no lead runs, FORBIDDEN without the rights.
    """

    def __init__(
        self,
        cluster: Cluster,
        emit: Callable[[StoreEvent], None],
        clock: Clock,
        minicluster: MiniCluster,
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._minicluster = minicluster
        self._emit = emit
        self._story = QueueStory(minicluster.ref, emit, clock)
        self._pause = _FIRST_PAUSE
        self._woken = asyncio.Event()
        self._was_live = False
        self._told: tuple[Freshness, str] | None = None
        self._checkpoints: Checkpoints | None = None
        self.session: FluxSession | None = None
        self.endpoint: Endpoint | None = None

    async def run(self) -> None:
        """Never ends by itself."""
        self._tell(Freshness.CONNECTING, "")
        while True:
            try:
                await self._converse()
            except NoLead as error:
                self._story.gone()
                self._tell(Freshness.ABSENT, error.message)
            except Forbidden as error:
                self._tell(Freshness.FORBIDDEN, f"{error.message} {error.advice}")
            except FluxstateError as error:
                self._lost(error.message)
            except Exception as error:  # a feed that ends unseen shows an old picture as live
                _log.exception("the queue of %s", self._minicluster.ref)
                self._lost(said(error))
            await self._rest()

    def checkpoints(self) -> Checkpoints | None:
        """The way to its KVS checkpoints, None while it cannot be asked."""
        return self._checkpoints

    async def submit(self, options: SubmitOptions) -> Submitted:
        """Submit jobs, over the session or by command. Raises ValueError, or FluxstateError."""
        if self.session is not None:
            return await submit(self.session, options)
        if self._checkpoints is not None and self.endpoint is not None:
            return await submit_by_command(self._cluster, self.endpoint, options)
        raise FluxstateError(
            f"the broker of {self._minicluster.ref} cannot be reached now",
            safe="Nothing was sent.",
            advice="Wait until its queue is live again: the header says so.",
        )

    def wake(self) -> None:
        """Do not wait for the next try: something happened to its lead."""
        self._pause = _FIRST_PAUSE
        self._woken.set()

    async def _rest(self) -> None:
        """Back off before the next try, unless somebody wakes us."""
        timer = asyncio.ensure_future(self._clock.sleep(self._pause * random.uniform(0.7, 1.3)))
        woken = asyncio.ensure_future(self._woken.wait())
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        try:
            await asyncio.wait({timer, woken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._woken.clear()
            await ended(timer, woken)

    async def _converse(self) -> None:
        endpoint = self.endpoint = await locate(self._cluster, self._minicluster)
        try:
            async with FluxSession.open(self._cluster, endpoint) as session:
                self._story.met(session.hello)
                await session.watch()
                self.session, self._checkpoints = session, SessionCheckpoints(session)
                try:
                    await self._listen(session)
                finally:
                    self.session = self._checkpoints = None
        except CannotStart as error:
            if not error.no_bindings:
                raise
            await self._by_commands(endpoint, error.why)

    async def _listen(self, session: FluxSession) -> None:
        story = self._story
        while True:
            message = await self._next(session)
            story.take(message)
            for _ in range(min(session.waiting(), _AT_ONCE)):
                story.take(await session.message())
            story.tell()
            if story.listed:
                self._live(story.detail())
            elif not self._was_live:
                self._tell(Freshness.CONNECTING, story.what_it_does())
            since = story.wants_list()
            if since is not None:
                await session.want_jobs(since)
            await asyncio.sleep(0)  # a long list must not stop everything else

    async def _next(self, session: FluxSession) -> Message:
        """The next message; says when none comes. Raises FluxstateError after GIVE_UP_AFTER."""
        coming = asyncio.ensure_future(session.message())
        try:
            if await self._done_within(coming, STALE_AFTER):
                return coming.result()
            self._tell(Freshness.STALE, f"No word from the broker for {STALE_AFTER:g} s.")
            if await self._done_within(coming, GIVE_UP_AFTER - STALE_AFTER):
                return coming.result()
        finally:
            await ended(coming)
        raise FluxstateError(f"No word from the broker for {GIVE_UP_AFTER:g} s.")

    async def _done_within(self, task: asyncio.Future[Message], seconds: float) -> bool:
        if task.done():
            return True
        timer = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            both: list[asyncio.Future[Any]] = [task, timer]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await ended(timer)
        return task.done()

    async def _by_commands(self, endpoint: Endpoint, why: str) -> None:
        """Poll with flux commands; come back now and then to try the remote program again."""
        detail = f"Polling `flux jobs` every {COMMANDS_EVERY:g} s: {why}."
        try:
            for _ in range(COMMANDS_BEFORE_RETRY):
                self._story.seen(await look(self._cluster, endpoint))
                self._live(detail)
                self._checkpoints = self._checkpoints or CommandCheckpoints(
                    self._cluster, endpoint, self._clock
                )
                await self._clock.sleep(COMMANDS_EVERY)
        finally:
            self._checkpoints = None

    def _live(self, detail: str) -> None:
        self._pause = _FIRST_PAUSE
        self._was_live = True
        self._tell(Freshness.LIVE, detail)

    def _lost(self, why: str) -> None:
        self._story.interrupted()
        self._tell(Freshness.STALE if self._was_live else Freshness.CONNECTING, why)

    def _tell(self, freshness: Freshness, detail: str) -> None:
        if self._told != (freshness, detail):
            self._told = (freshness, detail)
            source = f"queue:{self._minicluster.ref.uid}"
            self._emit(SourceChanged(source, freshness, detail, self._clock.now()))
