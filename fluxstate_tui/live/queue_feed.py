"""The queue of one MiniCluster, live: keeps a conversation with its lead broker, come what may."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fluxstate_tui.broker import protocol
from fluxstate_tui.broker.broker import Checkpoints, CommandCheckpoints, SessionCheckpoints
from fluxstate_tui.broker.commands import look
from fluxstate_tui.broker.live_jobs import JobListSnapshot, LiveJobs
from fluxstate_tui.broker.locate import Endpoint, NoLead, locate
from fluxstate_tui.broker.rpc import counts_of, nodes_of, queues_of
from fluxstate_tui.broker.session import CannotStart
from fluxstate_tui.broker.submit import SubmitOptions, Submitted, submit, submit_by_command
from fluxstate_tui.errors import FluxstateError, said
from fluxstate_tui.kube.errors import BadAnswer, Forbidden
from fluxstate_tui.live.cluster_feed import ClusterClock
from fluxstate_tui.live.events import (
    BrokerInsideSeen,
    BrokerSeen,
    JobsChanged,
    JobsListed,
    QueuesSeen,
    SourceChanged,
    StoreEvent,
)
from fluxstate_tui.live.freshness import Freshness, queue_source
from fluxstate_tui.tasks import Course, Pause, done_within, ended

if TYPE_CHECKING:
    from fluxstate_tui.broker.commands import Look
    from fluxstate_tui.broker.context import OperationContext
    from fluxstate_tui.broker.protocol import Message
    from fluxstate_tui.broker.session import FluxSession
    from fluxstate_tui.clock import Clock
    from fluxstate_tui.flux.queue import Node, Queue
    from fluxstate_tui.minicluster.minicluster import ClusterRef, MiniCluster


# From the words of the remote program to events for the store.

LIST_PAUSE = 1.0  # seconds between two complete lists
DOUBTS = 2  # heartbeats at which our account differs, until the list is read again
LIST_PATIENCE = 30.0  # seconds until a list that does not come is asked for again
OVERLAP = 2.0  # seconds by which two lists of what ended lately overlap
MOST_DOUBTS = 200  # it doubles each time that the list did not help
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError)


class QueueProjection:
    """What is known of one queue, over all conversations with it."""

    def __init__(self, ref: ClusterRef, emit: Callable[[StoreEvent], None], clock: Clock) -> None:
        self._ref = ref
        self._emit = emit
        self._clock = clock
        self._time = ClusterClock()
        self._offset, self._rate = 0.0, 1.0
        self._jobs = LiveJobs()
        self._version = ""
        self._started = 0.0
        self._queues: tuple[Queue, ...] | None = None
        self._nodes: tuple[Node, ...] | None = None
        self._seen: tuple[tuple[Queue, ...], tuple[Node, ...]] | None = None
        self._doubts = 0
        self._patience = DOUBTS
        self._list_again = 0.0
        self._why_polling = ""
        self._poll_since: float | None = None
        self._list_now = 0.0  # when the last list was asked for, by the cluster's clock
        self._list_due = 0.0  # until then it is waited for
        self._warnings: dict[str, str] = {}
        self._stats: dict[str, int] | None = None
        self._mode = ""
        self.state = ""
        """The broker's state as it said last."""
        self.listed = False
        """Whether the job list of this conversation is complete."""

    def met(self, hello: protocol.Hello) -> None:
        """A conversation begins."""
        self.interrupted()
        self._warnings = {key: text for key, text in self._warnings.items() if key == "back"}
        if hello.started != self._started:
            self._time = ClusterClock()
            self._started = hello.started
        self._version = hello.version
        self._beat(hello.now, hello.state)

    def interrupted(self) -> None:
        """The conversation broke off."""
        self._mode, self._stats, self._doubts = "", None, 0
        self.listed = False
        self._jobs.interrupted()

    def gone(self) -> None:
        """No broker runs: the state that the last one had must not be taken for the next one's."""
        if self.state:
            self.state = ""
            now = self._clock.now()
            self._emit(
                BrokerSeen(
                    cluster=self._ref,
                    state="",
                    version=self._version,
                    clock_offset=self._offset,
                    clock_rate=self._rate,
                    at=now,
                )
            )

    def take(self, message: protocol.Message) -> None:
        """One message. What cannot be understood becomes part of the detail, never an error."""
        if isinstance(message, protocol.JobEvents):
            self._jobs.events(message)
            self._doubts = 0
        elif isinstance(message, protocol.JobsPiece):
            self._piece(message)
        elif isinstance(message, protocol.Beat):
            self._beat(message.now, message.state)
            self._compare()
            if self._mode == "poll" and self._clock.now() > self._list_due:
                self._poll_since = self._list_now - OVERLAP if self.listed else 0.0
        elif isinstance(message, protocol.Mode):
            self._mode, self._why_polling = message.mode, message.why
            self._jobs.active(message.active)
            if message.mode == "poll":
                self._poll_since = 0.0
        elif isinstance(message, protocol.Fact):
            self._fact(message)
        elif isinstance(message, protocol.UnknownMessage):
            self._warnings["rubbish"] = f"The container printed: {message.text[:60]}"

    def tell(self) -> None:
        """Hand what changed to the store."""
        now = self._clock.now()
        changed = self._jobs.changes()
        if changed:
            self._emit(JobsChanged(self._ref, changed, now))
        if self._queues is not None and self._nodes is not None:
            seen = (self._queues, self._nodes)
            if seen != self._seen:
                self._seen = seen
                self._emit(QueuesSeen(self._ref, *seen, now))

    def detail(self) -> str:
        """One line for people: the fall-back in use, and what is strange."""
        polling = f"Polling, because of: {self._why_polling}." if self._mode == "poll" else ""
        unreadable = self._jobs.unreadable
        strange = f"{unreadable} job records cannot be understood." if unreadable else ""
        return " ".join(text for text in (polling, *self._warnings.values(), strange) if text)

    def what_it_does(self) -> str:
        """Why there are no jobs yet."""
        if self._mode:
            return "The job list is being read."
        return f"The broker is in state '{self.state}'."

    def wants_list(self) -> float | None:
        """Since when the job list is wanted (0 = all of it), None if it is not wanted now.

        All of it is, when it is not what the broker counts. Where there is no journal, what ended
        since the last list is, at each heartbeat.
        """
        since, self._poll_since = self._poll_since, None
        since = 0.0 if self._is_doubtful() else since
        if since is not None:
            self._list_due = self._clock.now() + LIST_PATIENCE
        return since

    def _is_doubtful(self) -> bool:
        if not self.listed or not (self._jobs.gaps or self._doubts >= self._patience):
            return False
        if self._clock.now() < self._list_again:
            return False
        if self._doubts >= self._patience:
            self._patience = min(2 * self._patience, MOST_DOUBTS)
        self._jobs.gaps = False
        self._doubts = 0
        return True

    def seen(self, look: Look) -> None:
        """The fall-back by commands looked at everything."""
        now = self._clock.now()
        self._version, self.state = look.version, look.state
        self._emit(
            BrokerSeen(
                cluster=self._ref,
                state=look.state,
                version=look.version,
                clock_offset=0.0,
                clock_rate=1.0,
                at=now,
            )
        )
        self._emit(QueuesSeen(self._ref, look.queues, look.nodes, now))
        self._listed(self._jobs.replace(look.jobs))

    def _compare(self) -> None:
        """Our account of the jobs against the broker's, at each beat."""
        if self.listed and self._stats is not None:
            matches = self._stats == self._jobs.counts()
            self._doubts = 0 if matches else self._doubts + 1
            if matches:
                self._patience = DOUBTS

    def _beat(self, theirs: float, state: str) -> None:
        now = self._clock.now()
        self.state = state
        self._offset, self._rate = self._time.heard(theirs, now)
        self._emit(
            BrokerSeen(
                cluster=self._ref,
                state=state,
                version=self._version,
                clock_offset=self._offset,
                clock_rate=self._rate,
                at=now,
            )
        )

    def _piece(self, piece: protocol.JobsPiece) -> None:
        try:
            snapshot = self._jobs.piece(piece)
        except ValueError as error:
            self._warnings["list"] = f"The job list cannot be read: {error}."
            return
        if snapshot is not None:
            self._warnings.pop("list", None)
            self._list_now, self._list_due = piece.now, 0.0
            self._listed(snapshot)

    def _listed(self, snapshot: JobListSnapshot) -> None:
        if snapshot.complete:
            self._emit(JobsListed(self._ref, snapshot.by_id, self._clock.now()))
        elif snapshot.by_id:
            self._emit(JobsChanged(self._ref, snapshot.jobs, self._clock.now()))
        self.listed = self.listed or snapshot.complete
        self._list_again = self._clock.now() + LIST_PAUSE
        if snapshot.went_back:
            self._warnings["back"] = snapshot.went_back

    def _fact(self, message: protocol.Fact) -> None:
        """What a fact has in its way is told until it comes again."""
        kind = message.kind
        self._warnings.pop(kind, None)
        if message.error:
            self._warnings[kind] = f"The {kind} cannot be read: {message.error}."
            return
        try:
            if kind == "queues":
                self._queues = queues_of(message.fact)
            elif kind == "stats":
                self._stats = counts_of(message.fact)
            else:
                self._nodes = nodes_of(message.fact)
        except _MALFORMED as error:
            self._warnings[kind] = f"The {kind} cannot be understood ({error})."


_log = logging.getLogger(__name__)

Lead = Callable[[], Awaitable[Endpoint]]
"""Where the lead's container is now. Raises NoLead, or a KubeError."""

STALE_AFTER = 10.0  # seconds without a word: heartbeats come every 3 s
GIVE_UP_AFTER = 30.0
INSIDE_AFTER, INSIDE_EVERY = 5.0, 30.0  # by then the guard has set what it sets
COMMANDS_EVERY = 5.0
COMMANDS_BEFORE_RETRY = 24  # looks by commands until the remote program is tried again
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
FORBIDDEN_SECONDS = 300.0
"""What may not be done is asked again so seldom: rights change when people change them."""
_AT_ONCE = 1000  # messages that are folded before the store is told


class QueueFeed:
    """Tells the store about the queue of one MiniCluster until its task is cancelled.

    `session` is the open conversation, for operations to use, or None. Source `queue:<uid>` is
    CONNECTING, then LIVE (its detail names a fall-back in use), STALE with the reason while the
    connection is being made again, ABSENT when no lead runs, FORBIDDEN without the rights,
    REFUSED by a proxy or another one on the way.
    """

    def __init__(
        self,
        context: OperationContext,
        emit: Callable[[StoreEvent], None],
        minicluster: MiniCluster,
        lead: Lead | None = None,
    ) -> None:
        self._brokers = context.brokers
        self._cluster = context.cluster
        self._clock = context.clock
        self._minicluster = minicluster
        self._lead = lead or (lambda: locate(self._cluster, minicluster))
        self._emit = emit
        self._projection = QueueProjection(minicluster.ref, emit, context.clock)
        self._back_off = _FIRST_PAUSE
        self._pause = Pause(context.clock)
        self._was_live = False
        self._told: tuple[Freshness, str] | None = None
        self._checkpoints: Checkpoints | None = None
        self.session: FluxSession | None = None
        self.endpoint: Endpoint | None = None

    async def run(self) -> None:
        """Never ends by itself. It may be run again when it was cancelled."""
        self._told, self._was_live = None, False
        self._tell(Freshness.CONNECTING, "")
        while True:
            try:
                await self._converse()
            except NoLead as error:
                self._projection.gone()
                self._tell(Freshness.ABSENT, error.message)
            except Forbidden as error:
                self._tell(Freshness.FORBIDDEN, f"{error.message} {error.advice}")
                await self._rest(FORBIDDEN_SECONDS)
                continue
            except BadAnswer as error:
                self._projection.interrupted()
                self._tell(Freshness.REFUSED, error.message)
            except FluxstateError as error:
                self._lost(error.message)
            except Exception as error:  # a feed that ends unseen shows an old picture as live
                _log.exception("the queue of %s", self._minicluster.ref)
                self._lost(said(error))
            await self._rest()

    def checkpoints(self) -> Checkpoints | None:
        """The way to its KVS checkpoints, None while it cannot be asked."""
        return self._checkpoints

    async def submit(self, options: SubmitOptions, course: Course | None = None) -> Submitted:
        """Submit jobs, over the session or by command, until the course is stopped.

        Raises ValueError, or FluxstateError.
        """
        if self.session is not None:
            return await submit(self.session, options, course)
        if self._checkpoints is not None and self.endpoint is not None:
            return await submit_by_command(self._cluster, self.endpoint, options, course)
        raise FluxstateError(
            f"the broker of {self._minicluster.ref} cannot be reached now",
            safe="Nothing was sent.",
            advice="Wait until its queue is live again: the header says so.",
        )

    @property
    def ref(self) -> ClusterRef:
        """Whose queue it is."""
        return self._minicluster.ref

    def wake(self) -> None:
        """Do not wait for the next try: something happened to its lead."""
        self._back_off = _FIRST_PAUSE
        self._pause.end()

    async def _rest(self, seconds: float | None = None) -> None:
        """Back off before the next try, unless somebody wakes us."""
        back_off = self._back_off * random.uniform(0.7, 1.3)
        self._back_off = min(self._back_off * 2, _LONGEST_PAUSE)
        await self._pause.wait(seconds or back_off)

    async def _converse(self) -> None:
        endpoint = self.endpoint = await self._lead()
        try:
            async with self._brokers.session(endpoint, watches=True) as session:
                self._projection.met(session.hello)
                await session.watch()
                self.session, self._checkpoints = session, SessionCheckpoints(session)
                looking = asyncio.create_task(self._look_inside(session), name="look inside")
                try:
                    await self._listen(session)
                finally:
                    await ended(looking)
                    self.session = self._checkpoints = None
                    session.stop_watching()
        except CannotStart as error:
            if not error.no_bindings:
                raise
            await self._by_commands(endpoint, error.why)

    async def _listen(self, session: FluxSession) -> None:
        projection = self._projection
        while True:
            message = await self._next(session)
            projection.take(message)
            for _ in range(min(session.waiting(), _AT_ONCE)):
                projection.take(await session.message())
            projection.tell()
            if projection.listed:
                self._live(projection.detail())
            elif not self._was_live:
                self._tell(Freshness.CONNECTING, projection.what_it_does())
            since = projection.wants_list()
            if since is not None:
                await session.want_jobs(since)
            await asyncio.sleep(0)  # a long list must not stop everything else

    async def _look_inside(self, session: FluxSession) -> None:
        """Settings, state directory and hung brokers, now and then: nobody tells of them."""
        from fluxstate_tui.broker.inside import look_inside

        await self._clock.sleep(INSIDE_AFTER)
        while True:
            try:
                view = await look_inside(session)
            except FluxstateError as error:
                _log.debug("inside of %s: %s", self._minicluster.ref, error)
            else:
                now = self._clock.now()
                self._emit(BrokerInsideSeen(self._minicluster.ref, view, now))
            await self._clock.sleep(INSIDE_EVERY)

    async def _next(self, session: FluxSession) -> Message:
        """The next message; says when none comes. Raises FluxstateError after GIVE_UP_AFTER."""
        coming = asyncio.ensure_future(session.message())
        try:
            if await done_within(coming, STALE_AFTER, self._clock):
                return coming.result()
            self._tell(Freshness.STALE, f"No word from the broker for {STALE_AFTER:g} s.")
            if await done_within(coming, GIVE_UP_AFTER - STALE_AFTER, self._clock):
                return coming.result()
        finally:
            await ended(coming)
        session.suspect()
        raise FluxstateError(f"No word from the broker for {GIVE_UP_AFTER:g} s.")

    async def _by_commands(self, endpoint: Endpoint, why: str) -> None:
        """Poll with flux commands; come back now and then to try the remote program again."""
        detail = f"Polling `flux jobs` every {COMMANDS_EVERY:g} s: {why}."
        try:
            for _ in range(COMMANDS_BEFORE_RETRY):
                self._projection.seen(await look(self._cluster, endpoint))
                self._live(detail)
                self._checkpoints = self._checkpoints or CommandCheckpoints(
                    self._cluster, endpoint, self._clock
                )
                await self._clock.sleep(COMMANDS_EVERY)
        finally:
            self._checkpoints = None

    def _live(self, detail: str) -> None:
        self._back_off = _FIRST_PAUSE
        self._was_live = True
        self._tell(Freshness.LIVE, detail)

    def _lost(self, why: str) -> None:
        self._projection.interrupted()
        self._tell(Freshness.STALE if self._was_live else Freshness.CONNECTING, why)

    def _tell(self, freshness: Freshness, detail: str) -> None:
        if self._told != (freshness, detail):
            self._told = (freshness, detail)
            source = queue_source(self._minicluster.ref.uid)
            self._emit(SourceChanged(source, freshness, detail, self._clock.now()))
