"""From the words of the remote program to events for the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fluxstate_tui.feeds.cluster_clock import ClusterClock
from fluxstate_tui.flux import protocol
from fluxstate_tui.flux.facts import counts_of, nodes_of, queues_of
from fluxstate_tui.flux.live import LiveJobs, Snapshot
from fluxstate_tui.store.events import (
    BrokerSeen,
    JobsChanged,
    JobsListed,
    QueuesSeen,
    StoreEvent,
)

if TYPE_CHECKING:
    from fluxstate_tui.clock import Clock
    from fluxstate_tui.flux.fallback import Look
    from fluxstate_tui.model.queue import Node, Queue
    from fluxstate_tui.model.reference import ClusterRef

LIST_PAUSE = 1.0  # seconds between two complete lists
DOUBTS = 2  # heartbeats at which our account differs, until the list is read again
LIST_PATIENCE = 30.0  # seconds until a list that does not come is asked for again
OVERLAP = 2.0  # seconds by which two lists of what ended lately overlap
MOST_DOUBTS = 200  # it doubles each time that the list did not help
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError)


class QueueStory:
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
            self._emit(BrokerSeen(self._ref, "", self._version, self._offset, self._rate, now))

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
        elif isinstance(message, protocol.Rubbish):
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
        self._emit(BrokerSeen(self._ref, look.state, look.version, 0.0, 1.0, now))
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
        self._emit(BrokerSeen(self._ref, state, self._version, self._offset, self._rate, now))

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

    def _listed(self, snapshot: Snapshot) -> None:
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
