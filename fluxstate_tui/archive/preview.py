"""What a restore would do with every job and queue, before it is done (ARCHITECTURE.md#F20).

A model of what flux-core 0.88 does at a start with sched-simple, tried against it job by job;
Fluxion may leave an impossible job pending instead.
"""

from __future__ import annotations

import heapq
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from enum import Enum

import msgspec

from fluxstate_tui.archive.findings import Finding, Kind
from fluxstate_tui.archive.reader import Archive
from fluxstate_tui.chunked import batched
from fluxstate_tui.flux import idset
from fluxstate_tui.flux.dependency import After, Dependency, on_a_job
from fluxstate_tui.flux.hostlist import expand
from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.flux.job_json import begin_time, dependency_words
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.flux.loader import Effect
from fluxstate_tui.flux.queue import Queue, restores_stopped
from fluxstate_tui.flux.resources import ResourceSet
from fluxstate_tui.flux.scheduler import Place, Pool, Request, Verdict, constraint_words, turn
from fluxstate_tui.formatting import plural


class PredictedOutcome(Enum):
    """What becomes of jobs. The values are words for people, in the plural."""

    HISTORY = "stay as history"
    STARTS = "start at once"
    HELD = "are held"
    ROOM = "wait for room"
    WAITS = "wait"
    BLOCKED = "wait for nodes that are down"
    STUCK = "wait for ever"
    FAILED = "come back FAILED"
    NEVER_FITS = "can never fit"
    NO_QUEUE = "have no queue"
    OTHER_USER = "belong to another user"
    LOST = "would be lost"


_ONE_JOB = {
    PredictedOutcome.HISTORY: "stays as history",
    PredictedOutcome.STARTS: "starts at once",
    PredictedOutcome.HELD: "is held",
    PredictedOutcome.ROOM: "waits for room",
    PredictedOutcome.WAITS: "waits",
    PredictedOutcome.BLOCKED: "waits for nodes that are down",
    PredictedOutcome.STUCK: "waits for ever",
    PredictedOutcome.FAILED: "comes back FAILED",
    PredictedOutcome.NEVER_FITS: "can never fit",
    PredictedOutcome.NO_QUEUE: "has no queue",
    PredictedOutcome.OTHER_USER: "belongs to another user",
    PredictedOutcome.LOST: "would be lost",
}
_SHOWN = 20
_UNLIMITED = 1 << 20  # cores of a node of which nothing is known


class JobPrediction(msgspec.Struct, frozen=True, gc=False):
    """One job with its fate and the reason, '' for history."""

    job: Job
    fate: PredictedOutcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Room:
    """The new instance: nodes that come up, and cores of each (None = unknown, not checked).

    `max_size` are all ranks that Flux knows of: a job may wait for those beyond `size`. `name` is
    that of the MiniCluster, '' = the hosts are called as those of the archive.
    """

    size: int
    cores: int | None
    max_size: int | None = None
    name: str = ""

    @property
    def ranks(self) -> int:
        """How many there are, up or down."""
        return max(self.size, self.max_size or 0)


@dataclass(frozen=True, slots=True)
class Blocker:
    """A waiting job that only nodes that are down could run, and how many wait behind it.

    sched-simple starts nothing before it, whatever is free.
    """

    job: Job
    nodes: int
    up: int
    behind: int

    def __str__(self) -> str:
        behind = f" and blocks {self.behind} behind it" if self.behind else ""
        return (
            f"1 waits for {plural(self.nodes, 'node')}{behind}: {f58(self.job.id)} "
            f"{self.job.name}; {self.up} {'is' if self.up == 1 else 'are'} up"
        )


@dataclass(frozen=True, slots=True)
class RestorePreview:
    """The fate of every job, how each queue comes up, and the smallest size that fits all jobs.

    `warnings` say why all that may not happen: the archive itself is broken. `refused` are the
    jobs that Flux fails right after the start.
    """

    room: Room
    jobs: list[JobPrediction]
    queues: tuple[Queue, ...]
    size_needed: int
    warnings: tuple[str, ...] = ()
    blocker: Blocker | None = None
    refused: frozenset[int] = frozenset()

    def of(self, fate: PredictedOutcome) -> tuple[JobPrediction, ...]:
        """All jobs of one fate."""
        return tuple(one for one in self.jobs if one.fate is fate)

    @property
    def counts(self) -> dict[PredictedOutcome, int]:
        """How many jobs of each fate, in a fixed order, only those that occur."""
        found: Counter[str] = Counter()
        for some in batched(self.jobs):
            found.update(one.fate.value for one in some)  # an enum's own hash is slow
        return {fate: found[fate.value] for fate in PredictedOutcome if found[fate.value]}

    def lines(
        self, started_again: Collection[str] = (), *, with_blocker: bool = True
    ) -> tuple[str, ...]:
        """The preview for people, one fact per line, without markup; what stops all comes first.

        `started_again` are queues that come up stopped and are started when all is accounted for.
        """
        found = [_count_line(number, fate) for fate, number in self.counts.items()]
        if not found:
            found = ["no jobs: the queue comes up empty"]
        if self.blocker is not None and with_blocker:
            found.insert(0, f"STUCK: {self.blocker}.")
        found += [_queue_line(queue, queue.name in started_again) for queue in self.queues]
        if self.size_needed > self.room.size:
            found.append(f"size {self.size_needed} would do for the jobs that need more nodes")
        return (*self.warnings, *found, *_reasons(self.jobs))


def preview(
    archive: Archive,
    *,
    size: int,
    cores: int | None = None,
    max_size: int | None = None,
    name: str = "",
    uid: int | None = None,
    queues: Collection[str] | None = None,
    now: float | None = None,
    go_on: Callable[[], None] = lambda: None,
) -> RestorePreview:
    """What a restore onto `size` nodes would do.

    `cores` per node are taken from the archive's own resources if not given; `max_size` and `name`
    are the MiniCluster's (see Room). `uid` is the owner of the new instance (None = the same as
    before). `queues` are the named queues of its configuration (None = those that the archive
    knows; empty = only the anonymous queue). `now` is the time of the restore in seconds since the
    epoch (None = that of this computer). `go_on` is called now and then and may raise, when nobody
    waits for it any more.
    """
    room = Room(size, cores if cores is not None else cores_per_node(archive), max_size, name)
    coming = _queues(archive, queues)
    moment = time.time() if now is None else now
    start = _Start(archive, room, coming, uid, moment, uniform=cores is not None)
    start.run(go_on)
    predictions: list[JobPrediction] = []
    history, inactive, predicted = PredictedOutcome.HISTORY, JobState.INACTIVE, start.predicted
    for some in batched(archive.jobs):
        go_on()
        predictions += [
            JobPrediction(one.job, history)
            if one.job.state is inactive and one.job.id not in start.lost
            else predicted[one.job.id]
            for one in some
        ]
    warnings = [*dict.fromkeys(map(_warning, archive.findings)), *_unheeded(archive, coming)]
    return RestorePreview(
        room=room,
        jobs=predictions,
        queues=coming,
        size_needed=start.size_needed,
        warnings=tuple(warnings),
        blocker=start.blocker,
        refused=frozenset(start.refused),
    )


@dataclass(slots=True)
class _Start:
    """The start of an instance from an archive: what happens at once, in Flux's order.

    First the jobs that ran are failed, then dependencies are looked at, then the scheduler goes
    through the line, and again after each change that it made itself.
    """

    archive: Archive
    room: Room
    queues: tuple[Queue, ...]
    uid: int | None
    now: float
    uniform: bool
    predicted: dict[int, JobPrediction] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    lost: frozenset[int] = frozenset()
    blocker: Blocker | None = None
    size_needed: int = 1
    _pool: Pool = field(default_factory=lambda: Pool(()))
    _active: dict[int, Job] = field(default_factory=dict)
    _open: dict[int, set[str]] = field(default_factory=dict)
    _dependents: dict[int, list[tuple[int, Dependency]]] = field(default_factory=dict)
    _line: list[tuple[int, int]] = field(default_factory=list)
    _joining: list[tuple[int, int]] = field(default_factory=list)
    _ending: deque[tuple[Job, str]] = field(default_factory=deque)

    def run(self, go_on: Callable[[], None]) -> None:
        """Fill in what becomes of every job that is not over, or that Flux does not take."""
        self.lost = self.archive.lost
        for job_id in self.lost:
            found = self.archive.job(job_id)
            if found is not None:
                reason = self.archive.refused[job_id].reason
                self._say(found.job, PredictedOutcome.LOST, reason)
        for some in batched(self.archive.jobs):
            go_on()
            self._active.update(
                (one.job.id, one.job)
                for one in some
                if one.job.state is not JobState.INACTIVE and one.job.id not in self.lost
            )
        needed = {}
        for some_jobs in batched(list(self._active.values())):
            go_on()
            for job in some_jobs:
                if job.state.pending:
                    wanted = self.archive.request(job)
                    if wanted not in needed:
                        needed[wanted] = _nodes_needed(wanted, self.room.cores)
        self.size_needed = max((nodes for nodes in needed.values() if nodes), default=1)
        self._pool = _pool(self.archive, self.room, uniform=self.uniform)
        self._take_in(go_on)
        self._schedule(go_on)

    # -- coming in ---------------------------------------------------------------------------

    def _take_in(self, go_on: Callable[[], None]) -> None:
        over = [job for job in self._active.values() if job.state is JobState.CLEANUP]
        for job in over:
            reason = "it had just ended"
            self.predicted[job.id] = JobPrediction(job, PredictedOutcome.HISTORY, reason)
            del self._active[job.id]
        for some in batched(list(self._active.values())):
            go_on()
            for job in some:
                if job.state is JobState.RUN:
                    continue
                if job.dependencies and job.state <= JobState.DEPEND:
                    self._depend(job)
                elif job.id not in self.predicted:
                    self._join(job)
        for job in [one for one in self._active.values() if one.state is JobState.RUN]:
            self._fail(job, PredictedOutcome.FAILED, "it ran when the queue was dumped")
        self._settle_ends()

    def _depend(self, job: Job) -> None:
        """Look at each dependency as the plugins of the job manager do at a restart."""
        left = set()
        for text in job.dependencies:
            begin = begin_time(text)
            if begin is not None and begin <= self.now:
                continue
            dependency = on_a_job(text)
            if dependency is None:
                left.add(text)
                continue
            problem, target = self._antecedent(job, dependency)
            if problem:
                reason = (
                    f"{problem} ({text}): it will never start unless it is released or cancelled"
                )
                self._say(job, PredictedOutcome.STUCK, reason)
                left.add(text)
            elif target is not None:
                left.add(text)
                self._dependents.setdefault(target, []).append((job.id, dependency))
        if left:
            self._open[job.id] = left
        else:
            self._join(job)

    def _antecedent(self, job: Job, dependency: Dependency) -> tuple[str, int | None]:
        """Why that can never come, and the active job that it waits for; neither: it is met."""
        target = dependency.target
        if target is None:
            return "it waits for what is no job", None
        active = self._active.get(target)
        found = active
        if found is None:
            archived = self.archive.job(target) if target not in self.lost else None
            found = archived.job if archived is not None else None
        if found is None:
            return "it waits for a job that no longer exists", None
        if found.userid != job.userid:
            return f"it waits for {f58(target)}, which is another user's", None
        if active is not None:
            return "", target
        if dependency.after is After.FINISH:
            return "", None
        # A restart forgets what was posted of a job that is over.
        return f"it waits for {f58(target)}, which had ended", None

    def _join(self, job: Job) -> None:
        """Into the line, unless something keeps it out."""
        queue = next((one for one in self.queues if one.name == job.queue), None)
        if self.uid is not None and job.userid != self.uid:
            reason = f"of uid {job.userid}, which an instance of uid {self.uid} cannot run"
            self._say(job, PredictedOutcome.OTHER_USER, reason)
        elif queue is None:
            name = f"queue {job.queue}" if job.queue else "the anonymous queue"
            reason = f"{name} will not exist: it stays pending for ever"
            self._say(job, PredictedOutcome.NO_QUEUE, reason)
        elif job.urgency == 0:
            self._say_later(job, PredictedOutcome.HELD, "its urgency is 0")
        elif not queue.started and restores_stopped(self.archive.core_version, self.queues):
            self._say_later(job, PredictedOutcome.WAITS, f"until {_name(queue)} is started")
        else:
            self._joining.append(turn(job))

    # -- ends and what follows from them -------------------------------------------------------

    def _fail(self, job: Job, fate: PredictedOutcome, reason: str) -> None:
        self._say(job, fate, reason)
        self.refused.add(job.id)
        self._ending.append((job, _ONE_JOB[fate]))

    def _settle_ends(self) -> None:
        """Jobs that never started here let go those that wait for any end, and fail the others."""
        while self._ending:
            ended, how = self._ending.popleft()
            for job_id, dependency in self._dependents.pop(ended.id, ()):
                job = self._active[job_id]
                if job_id in self.refused:
                    continue
                if dependency.after is After.FINISH:
                    self._meet(job, dependency.text)
                else:
                    reason = f"{dependency.text} can never be satisfied: {f58(ended.id)} {how}"
                    self._fail(job, PredictedOutcome.FAILED, reason)

    def _meet(self, job: Job, text: str) -> None:
        left = self._open[job.id]
        left.discard(text)
        if not left:
            del self._open[job.id]
            self._join(job)

    def _begun(self, job: Job) -> None:
        kept = []
        for job_id, dependency in self._dependents.pop(job.id, ()):
            if dependency.after is After.START:
                self._meet(self._active[job_id], dependency.text)
            else:
                kept.append((job_id, dependency))
        if kept:
            self._dependents[job.id] = kept

    # -- the scheduler -------------------------------------------------------------------------

    def _schedule(self, go_on: Callable[[], None]) -> None:
        # At first no rank is up, then the lead's: what fits there starts there. Then the others.
        self._go_through_line(go_on)
        self._pool.bring_up(range(min(1, self.room.size)))
        self._go_through_line(go_on)
        self._pool.bring_up(range(1, self.room.size))
        self._go_through_line(go_on)
        self._line.sort()
        self._look_at_line(go_on)
        for job_id, left in self._open.items():
            if job_id not in self.predicted:
                words = ", ".join(
                    dependency_words(text, self.now)
                    for text in self._active[job_id].dependencies
                    if text in left
                )
                self._say_later(self._active[job_id], PredictedOutcome.WAITS, f"for {words}")

    def _go_through_line(self, go_on: Callable[[], None]) -> None:
        pool = self._pool
        while True:
            for ready in self._joining:
                heapq.heappush(self._line, ready)
            self._joining = []
            while self._line:
                job = self._active[self._line[0][1]]
                verdict = pool.allocate(self.archive.request(job))
                if verdict is Verdict.HAS_TO_WAIT:
                    break
                heapq.heappop(self._line)
                go_on()
                if verdict is Verdict.STARTS:
                    self._say(job, PredictedOutcome.STARTS, "there is room for it")
                    self._begun(job)
                else:
                    reason = f"{self._why_never(job)}; Flux fails it for good"
                    self._fail(job, PredictedOutcome.NEVER_FITS, reason)
                    self._settle_ends()
            if not self._joining:
                break

    def _look_at_line(self, go_on: Callable[[], None]) -> None:
        """Those that wait: the first for room, the others behind it."""
        head = ""
        for at, (_, job_id) in enumerate(self._line):
            if at % 4096 == 0:
                go_on()
            job = self._active[job_id]
            wanted = self.archive.request(job)
            if not self._pool.fits(wanted):
                reason = f"{self._why_never(job)}; Flux fails it for good when its turn comes"
                self._say(job, PredictedOutcome.NEVER_FITS, reason)
            elif not self._pool.fits(wanted, up=True):
                nodes = _nodes_needed(wanted, self.room.cores) or self.room.ranks
                if self.blocker is None:
                    behind = len(self._line) - at - 1
                    self.blocker = Blocker(job, nodes, self.room.size, behind)
                are = "is" if self.room.size == 1 else "are"
                reason = f"for {plural(nodes, 'node')}; {self.room.size} {are} up{head}"
                self._say(job, PredictedOutcome.BLOCKED, reason)
            else:
                where = head or "; it is the next in line"
                self._say(job, PredictedOutcome.ROOM, f"it needs {_need_words(wanted)}{where}")
            if not head or (self.blocker is not None and job is self.blocker.job):
                head = f"; behind {f58(job.id)} {job.name}"

    def _say(self, job: Job, fate: PredictedOutcome, reason: str) -> None:
        self.predicted[job.id] = JobPrediction(job, fate, reason)

    def _say_later(self, job: Job, fate: PredictedOutcome, reason: str) -> None:
        """Of one that is not in the line yet: that it can never fit matters more."""
        if self._pool.fits(self.archive.request(job)):
            self._say(job, fate, reason)
        else:
            reason = (
                f"{self._why_never(job)}; Flux fails it for good when its turn comes ({reason})"
            )
            self._say(job, PredictedOutcome.NEVER_FITS, reason)

    def _why_never(self, job: Job) -> str:
        wanted, pool = self.archive.request(job), self._pool
        if wanted.constraint and not pool.eligible(wanted):
            return f"no node is what it requires ({constraint_words(wanted.constraint)})"
        if wanted.constraint:
            fitting = plural(pool.eligible(wanted), "node")
            return (
                f"it needs {_need_words(wanted)} of what it requires "
                f"({constraint_words(wanted.constraint)}), and {fitting} can be"
            )
        needed = _nodes_needed(wanted, self.room.cores)
        if needed is None:
            return "it needs more cores than one node has"
        if needed > self.room.ranks:
            return f"it needs {plural(needed, 'node')}"
        return f"it needs {_need_words(wanted)}"


def _pool(archive: Archive, room: Room, *, uniform: bool) -> Pool:
    """The nodes of the new instance, as far as the archive tells what they are like.

    With `uniform` all have the cores of the room. A property belongs to a rank by the
    configuration, which a restore does not change.
    """
    resources = archive.resources
    shares, properties = [], {}
    if resources is not None:
        try:
            shares = resources.shares()
            properties = {
                name: frozenset(idset.decode(ranks)) for name, ranks in resources.properties
            }
        except ValueError:
            shares = []
    hosts = _hosts(resources, room)
    gpus = max((len(share.gpus) for share in shares), default=0)
    usual = room.cores if room.cores is not None else _UNLIMITED
    places = []
    for rank in range(room.ranks):
        known = shares[rank] if rank < len(shares) else None
        cores = usual if known is None or uniform else len(known.cores)
        here = gpus if known is None else len(known.gpus)
        places.append(Place(rank, hosts[rank], cores, here, up=False))
    return Pool(places, properties)


def _hosts(resources: ResourceSet | None, room: Room) -> list[str]:
    """A MiniCluster's are NAME-RANK; else as the archive's, going on as they begin."""
    if room.name:
        return [f"{room.name}-{rank}" for rank in range(room.ranks)]
    try:
        known = expand(resources.nodelist) if resources is not None else []
    except ValueError:
        known = []
    stem = known[0].removesuffix("0") if known and known[0].endswith("0") else ""
    return [
        known[rank] if rank < len(known) else f"{stem}{rank}" if stem else ""
        for rank in range(room.ranks)
    ]


def _need_words(wanted: Request) -> str:
    """`4 nodes`, `2 nodes of 8 cores each`, `40 cores`."""
    if wanted.nodes:
        nodes = plural(wanted.nodes, "node")
        each = wanted.cores_per_node
        return nodes if wanted.exclusive or each <= 1 else f"{nodes} of {each} cores each"
    gpus = f" with {plural(wanted.slots * wanted.gpus, 'GPU')}" if wanted.gpus else ""
    return plural(wanted.slots * wanted.cores, "core") + gpus


def _nodes_needed(wanted: Request, cores: int | None) -> int | None:
    """The smallest instance that a job fits into; None if one node is too small."""
    if cores is None:
        return wanted.nodes or 1
    if wanted.cores_per_node > cores:
        return None
    if wanted.nodes:
        return wanted.nodes
    return math.ceil(wanted.slots / max(1, cores // wanted.cores))


def _warning(finding: Finding) -> str:
    """What a broken archive does to a restore (ARCHITECTURE.md#F19)."""
    if finding.kind is Kind.ZERO_BYTES:
        return "the file has 0 bytes: Flux would start with an EMPTY queue, without any message"
    if finding.kind is Kind.HOSTILE:
        return f"do not restore this archive: {finding}"
    if finding.kind is Kind.DAMAGED and finding.effect is not Effect.NO_START:
        return f"the archive is damaged, a restore fails or loses jobs: {finding}"
    return f"Flux cannot restore this archive, its broker would exit: {finding}"


def cores_per_node(archive: Archive) -> int | None:
    """How many cores each node had, None if the archive does not tell."""
    resources = archive.resources
    if resources is None or not resources.nnodes:
        return None
    return resources.ncores // resources.nnodes


def _queues(archive: Archive, configured: Collection[str] | None) -> tuple[Queue, ...]:
    """How each queue comes up: as the checkpoint says, else named ones stopped (since 0.47)."""
    saved = {queue.name: queue for queue in archive.queues or ()}
    if configured is not None:
        names = set(configured) or {""}
    else:
        asked = {one.job.queue for one in archive.jobs if one.job.state.pending}
        names = set(saved) | asked or {""}
    return tuple(
        saved.get(name, Queue(name, enabled=True, started=not name)) for name in sorted(names)
    )


def _unheeded(archive: Archive, coming: tuple[Queue, ...]) -> list[str]:
    stopped = any(not queue.started for queue in coming)
    if not stopped or restores_stopped(archive.core_version, coming):
        return []
    return [f"flux-core {archive.core_version} runs jobs of the queue that it restores as stopped"]


def _name(queue: Queue) -> str:
    return f"queue {queue.name}" if queue.name else "the queue"


def _queue_line(queue: Queue, started_again: bool) -> str:
    started = "started" if queue.started else "STOPPED"
    if started_again and not queue.started:
        started = "stopped and is started by the last step"
    enabled = "" if queue.enabled else ", submission DISABLED"
    reasons = [text for text in (queue.stop_reason, queue.disable_reason) if text]
    why = f" ({'; '.join(reasons)})" if reasons else ""
    return f"{_name(queue)} comes up {started}{enabled}{why}"


def _reasons(jobs: Iterable[JobPrediction]) -> list[str]:
    """One line per job that does not simply run or stay, at most twenty of each fate."""
    shown: dict[PredictedOutcome, int] = {}
    lines = []
    for one in jobs:
        if one.fate in (PredictedOutcome.HISTORY, PredictedOutcome.STARTS):
            continue
        shown[one.fate] = shown.get(one.fate, 0) + 1
        if shown[one.fate] <= _SHOWN:
            lines.append(f"{f58(one.job.id)} {one.job.name} {_ONE_JOB[one.fate]}: {one.reason}")
    for fate, number in shown.items():
        if number > _SHOWN:
            lines.append(f"and {number - _SHOWN} more {fate.value}")
    return lines


def _count_line(number: int, fate: PredictedOutcome) -> str:
    return f"1 job {_ONE_JOB[fate]}" if number == 1 else f"{number} jobs {fate.value}"
