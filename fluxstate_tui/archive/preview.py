"""What a restore would do with every job and queue, before it is done (ARCHITECTURE.md#F20).

Measured with flux-core 0.88 and sched-simple; Fluxion may leave an impossible job pending instead.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import Enum

import msgspec

from fluxstate_tui.archive.findings import Finding, Kind
from fluxstate_tui.archive.reader import Archive
from fluxstate_tui.chunked import batched
from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.flux.job_json import dependency_text
from fluxstate_tui.flux.jobid import f58, parse_job_id
from fluxstate_tui.flux.queue import Queue, restores_stopped


class PredictedOutcome(Enum):
    """What becomes of jobs. The values are words for people, in the plural."""

    HISTORY = "stay as history"
    STARTS = "start at once"
    HELD = "are held"
    WAITS = "wait"
    FAILED = "come back FAILED"
    NEVER_FITS = "can never fit"
    NO_QUEUE = "have no queue"
    OTHER_USER = "belong to another user"


_ONE_JOB = {
    PredictedOutcome.HISTORY: "stays as history",
    PredictedOutcome.STARTS: "starts at once",
    PredictedOutcome.HELD: "is held",
    PredictedOutcome.WAITS: "waits",
    PredictedOutcome.FAILED: "comes back FAILED",
    PredictedOutcome.NEVER_FITS: "can never fit",
    PredictedOutcome.NO_QUEUE: "has no queue",
    PredictedOutcome.OTHER_USER: "belongs to another user",
}
# A job that no number of nodes can satisfy, because one node is too small.
_IMPOSSIBLE = 1 << 31
_SHOWN = 20


class JobPrediction(msgspec.Struct, frozen=True, gc=False):
    """One job with its fate and the reason, '' for history."""

    job: Job
    fate: PredictedOutcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Room:
    """The new instance: nodes, and cores of each (None = unknown, not checked)."""

    size: int
    cores: int | None


@dataclass(frozen=True, slots=True)
class RestorePreview:
    """The fate of every job, how each queue comes up, and the smallest size that fits all jobs.

    `warnings` say why all that may not happen: the archive itself is broken.
    """

    room: Room
    jobs: list[JobPrediction]
    queues: tuple[Queue, ...]
    size_needed: int
    warnings: tuple[str, ...] = ()

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

    def lines(self, started_again: Collection[str] = ()) -> tuple[str, ...]:
        """The preview for people, one fact per line, without markup.

        `started_again` are queues that come up stopped and are started when all is accounted for.
        """
        found = [_count_line(number, fate) for fate, number in self.counts.items()]
        if not found:
            found = ["no jobs: the queue comes up empty"]
        found += [_queue_line(queue, queue.name in started_again) for queue in self.queues]
        if self.size_needed > self.room.size:
            found.append(f"size {self.size_needed} would do for the jobs that need more nodes")
        return (*self.warnings, *found, *_reasons(self.jobs))


def preview(
    archive: Archive,
    *,
    size: int,
    cores: int | None = None,
    uid: int | None = None,
    queues: Collection[str] | None = None,
    go_on: Callable[[], None] = lambda: None,
) -> RestorePreview:
    """What a restore onto `size` nodes would do.

    `cores` per node are taken from the archive's own resources if not given. `uid` is the owner of
    the new instance (None = the same as before). `queues` are the named queues of its
    configuration (None = those that the archive knows; empty = only the anonymous queue). `go_on`
    is called now and then and may raise, when nobody waits for it any more.
    """
    room = Room(size, cores if cores is not None else cores_per_node(archive))
    coming = _queues(archive, queues)
    judge = _Judge(room, uid, {queue.name: queue for queue in coming}, archive)
    predictions: list[JobPrediction] = []
    possible = 1
    for some in batched(archive.jobs):
        go_on()
        predictions += [judge.fate(one.job) for one in some]
        needed = [_nodes_needed(one.job, room.cores) for one in some if one.job.state.pending]
        possible = max([possible, *(nodes for nodes in needed if nodes != _IMPOSSIBLE)])
    warnings = [*dict.fromkeys(map(_warning, archive.findings)), *_unheeded(archive, coming)]
    return RestorePreview(room, predictions, coming, possible, tuple(warnings))


class _Judge:
    """The rules, from the hardest to the mildest."""

    def __init__(
        self, room: Room, uid: int | None, queues: dict[str, Queue], archive: Archive
    ) -> None:
        self._room = room
        self._uid = uid
        self._queues = queues
        self._archive = archive
        self._heeds_stop = restores_stopped(archive.core_version, queues.values())

    def fate(self, job: Job) -> JobPrediction:
        """One job's fate."""
        if job.state is JobState.INACTIVE:
            return JobPrediction(job, PredictedOutcome.HISTORY)
        if job.state.running:
            return JobPrediction(job, PredictedOutcome.FAILED, "it ran when the queue was dumped")
        for rule in (self._user, self._fits, self._queue, self._dependencies, self._held):
            found = rule(job)
            if found is not None:
                return found
        queue = self._queues[job.queue]
        if not queue.started and self._heeds_stop:
            return JobPrediction(job, PredictedOutcome.WAITS, f"until {_name(queue)} is started")
        return JobPrediction(job, PredictedOutcome.STARTS, "as soon as there is room")

    def _user(self, job: Job) -> JobPrediction | None:
        if self._uid is None or job.userid == self._uid:
            return None
        reason = f"of uid {job.userid}, which an instance of uid {self._uid} cannot run"
        return JobPrediction(job, PredictedOutcome.OTHER_USER, reason)

    def _fits(self, job: Job) -> JobPrediction | None:
        needed = _nodes_needed(job, self._room.cores)
        if needed <= self._room.size:
            return None
        if needed == _IMPOSSIBLE:
            return JobPrediction(
                job, PredictedOutcome.NEVER_FITS, "it needs more cores than one node has"
            )
        return JobPrediction(
            job, PredictedOutcome.NEVER_FITS, f"it needs {needed} nodes; Flux fails it for good"
        )

    def _queue(self, job: Job) -> JobPrediction | None:
        if job.queue in self._queues:
            return None
        name = f"queue {job.queue}" if job.queue else "the anonymous queue"
        return JobPrediction(
            job, PredictedOutcome.NO_QUEUE, f"{name} will not exist: it stays pending for ever"
        )

    def _dependencies(self, job: Job) -> JobPrediction | None:
        if not job.dependencies:
            return None
        for text in job.dependencies:
            other = self._never_succeeds(text)
            if other is not None:
                reason = f"{text} can never be satisfied: {f58(other.id)} comes back FAILED"
                return JobPrediction(job, PredictedOutcome.FAILED, reason)
        reason = "for " + ", ".join(map(dependency_text, job.dependencies))
        return JobPrediction(job, PredictedOutcome.WAITS, reason)

    def _never_succeeds(self, text: str) -> Job | None:
        """The job of an after-success dependency when it ran at the dump or cannot fit."""
        kind, _, value = text.partition("=")
        if kind != "after-success":
            return None
        try:
            found = self._archive.job(parse_job_id(value))
        except ValueError:
            return None
        if found is None or found.job.state is JobState.INACTIVE:
            return None
        other = found.job
        return other if other.state.running or self._fits(other) is not None else None

    def _held(self, job: Job) -> JobPrediction | None:
        return (
            JobPrediction(job, PredictedOutcome.HELD, "its urgency is 0")
            if job.urgency == 0
            else None
        )


def _nodes_needed(job: Job, cores: int | None) -> int:
    """The smallest instance that a job fits into; `_IMPOSSIBLE` if one node is too small."""
    nodes = job.nnodes or 1
    if cores is None or not job.ncores:
        return nodes
    if job.nnodes:
        return nodes if math.ceil(job.ncores / nodes) <= cores else _IMPOSSIBLE
    per_task = math.ceil(job.ncores / job.ntasks) if job.ntasks else 1
    if per_task > cores:
        return _IMPOSSIBLE
    tasks_per_node = max(1, cores // per_task)
    return math.ceil((job.ntasks or job.ncores) / tasks_per_node)


def _warning(finding: Finding) -> str:
    """What a broken archive does to a restore (ARCHITECTURE.md#F19)."""
    if finding.kind is Kind.ZERO_BYTES:
        return "the file has 0 bytes: Flux would start with an EMPTY queue, without any message"
    if finding.kind is Kind.HOSTILE:
        return f"do not restore this archive: {finding}"
    if finding.kind is Kind.DAMAGED:
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
