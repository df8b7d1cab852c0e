"""The account: what became of every saved job, job by job. A restore is right if none is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Any

import msgspec

from fluxstate_tui.archive.job_map import sorted_by_id
from fluxstate_tui.chunked import batched
from fluxstate_tui.flux.job import Job, JobResult, JobState


class RestoreOutcome(Enum):
    """What became of a saved job. NEW and FOREIGN are live jobs that were not saved.

    NEW was submitted to the live broker; for FOREIGN nobody vouches.
    """

    SAME = "same"
    RUNNING = "running"
    FINISHED_SINCE = "finished_since"
    REFUSED = "refused"
    LOST = "lost"
    NEW = "new"
    FOREIGN = "foreign"


class RefusalCause(Enum):
    """Why a restore brought a job back FAILED."""

    RAN = "ran"
    DEPENDED = "depended"
    NO_RESOURCES = "no_resources"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Accounted:
    """One job with its fortune and, where it is not obvious, the reason.

    `cause` is set for refused ones only.
    """

    job: Job
    fortune: RestoreOutcome
    reason: str = ""
    cause: RefusalCause | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """The whole account. `counts` has a number for every fortune, by its value."""

    jobs: tuple[Accounted, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many jobs of each fortune, by its word."""
        found = Counter(one.fortune.value for one in self.jobs)
        return {fortune.value: found.get(fortune.value, 0) for fortune in RestoreOutcome}

    @property
    def balanced(self) -> bool:
        """No job is lost, and none is there that nobody vouches for."""
        wrong = (RestoreOutcome.LOST, RestoreOutcome.FOREIGN)
        return all(one.fortune not in wrong for one in self.jobs)

    @property
    def foreign(self) -> tuple[Accounted, ...]:
        """Jobs that were neither saved nor submitted to this broker."""
        return tuple(one for one in self.jobs if one.fortune is RestoreOutcome.FOREIGN)

    def explain(self) -> str:
        """One line, such as `11 saved: 7 same, 2 running, 2 finished since, 0 refused, 0 lost`."""
        counts = self.counts
        saved = sum(counts.values()) - counts["new"] - counts["foreign"]
        words = ("same", "running", "finished_since", "refused", "lost")
        line = ", ".join(f"{counts[word]} {word.replace('_', ' ')}" for word in words)
        more = (f"; {counts[word]} {word}" for word in ("new", "foreign") if counts[word])
        return f"{saved} saved: {line}{''.join(more)}"


# By the type of the exception that ended it before it ran.
_CAUSES = {"dependency": RefusalCause.DEPENDED, "alloc": RefusalCause.NO_RESOURCES}


# Clocks of the nodes of one MiniCluster: the job is stamped where it is submitted.
AHEAD_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class BrokerTime:
    """When the broker that has the live jobs started (0: not known), and its clock now."""

    started: float
    now: float


def account(saved: Iterable[Job], live: Iterable[Job], broker: BrokerTime | None = None) -> Account:
    """Compare saved jobs with what is there now, each with a fortune.

    `broker` is the one that loaded them: jobs that were not submitted to it are FOREIGN. Without
    it they are all NEW.
    """
    there = {job.id: job for job in live}
    jobs, highest = [], 0
    for job in saved:
        highest = max(highest, job.id)
        jobs.append(_judge(job, there.pop(job.id, None)))
    for job in there.values():
        why = _not_submitted_here(job, highest, broker) if broker is not None else ""
        fortune = RestoreOutcome.FOREIGN if why else RestoreOutcome.NEW
        jobs.append(Accounted(job, fortune, why))
    return Account(tuple(jobs))


def _not_submitted_here(job: Job, highest: int, broker: BrokerTime) -> str:
    """Why this broker cannot have taken it, '' if it can.

    Job ids of a broker go up from the highest that it loaded.
    """
    if job.t_submit < broker.started:
        return "submitted before this broker started"
    if job.t_submit > broker.now + AHEAD_SECONDS:
        return "said to be submitted in the future"
    if job.id <= highest:
        return "its id is lower than those of saved jobs"
    return ""


def _judge(saved: Job, live: Job | None) -> Accounted:
    if live is None:
        return Accounted(saved, RestoreOutcome.LOST, "it is not there")
    if (saved.t_submit, saved.userid) != (live.t_submit, live.userid):
        return Accounted(saved, RestoreOutcome.LOST, "another job has its id")
    if other := _other_work(saved, live):
        return Accounted(saved, RestoreOutcome.LOST, f"another job has its id: its {other} differs")
    if saved.state is JobState.INACTIVE:
        return _judge_history(saved, live)
    if live.state is JobState.INACTIVE:
        return _judge_end(saved, live)
    if saved.state.running and live.state.pending:
        return Accounted(live, RestoreOutcome.LOST, "it ran, and waits again now")
    if live.state.running and not saved.state.running:
        return Accounted(live, RestoreOutcome.RUNNING)
    return Accounted(live, RestoreOutcome.SAME)


def _other_work(saved: Job, live: Job) -> str:
    """What is not as it was of what no restart changes, as far as both sides know it."""
    for name in ("name", "cwd", "ntasks"):
        before, after = getattr(saved, name), getattr(live, name)
        if before and after and before != after:
            return name
    return ""


def _judge_history(saved: Job, live: Job) -> Accounted:
    """A finished job must be the same, to its end."""
    if live.state is not JobState.INACTIVE:
        return Accounted(
            live, RestoreOutcome.LOST, f"it was {saved.status}, and is {live.status} now"
        )
    before = (saved.result, saved.waitstatus, saved.t_inactive)
    if before != (live.result, live.waitstatus, live.t_inactive):
        return Accounted(live, RestoreOutcome.LOST, "it ended differently than it was saved")
    return Accounted(live, RestoreOutcome.SAME)


def _judge_end(saved: Job, live: Job) -> Accounted:
    """A saved active job that is over now."""
    exception = live.exception
    fatal = exception is not None and exception.severity == 0
    if live.result is JobResult.FAILED and fatal and exception is not None:
        if saved.state.running and live.waitstatus is None:
            reason = f"it ran when it was dumped ({exception.note})"
            return Accounted(live, RestoreOutcome.REFUSED, reason, RefusalCause.RAN)
        if live.t_run is None:
            cause = _CAUSES.get(exception.type, RefusalCause.OTHER)
            reason = f"{exception.type}: {exception.note}"
            return Accounted(live, RestoreOutcome.REFUSED, reason, cause)
    return Accounted(live, RestoreOutcome.FINISHED_SINCE)


# What differs between two sets of jobs: two archives, or an archive and the live queue.

_FIELDS = tuple(name for name in Job.__struct_fields__ if name not in ("id", "annotations"))


class FieldChange(msgspec.Struct, frozen=True, gc=False):
    """One field of a job: its name, what it was, what it is."""

    name: str
    before: Any
    after: Any


class JobChange(msgspec.Struct, frozen=True, gc=False):
    """A job that is in both, but not the same."""

    before: Job
    after: Job
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class Diff:
    """All jobs of both sides, in the order of their ids."""

    only_a: list[Job]
    only_b: list[Job]
    changed: list[JobChange]
    unchanged: list[Job]

    @property
    def equal(self) -> bool:
        """Both sides have the same jobs."""
        return not (self.only_a or self.only_b or self.changed)


def diff(a: Iterable[Job], b: Iterable[Job], go_on: Callable[[], None] = lambda: None) -> Diff:
    """Compare job by job. The scheduler's annotations are left out: no restart keeps them.

    `go_on` is called now and then and may raise, when nobody waits for it any more.
    """
    found = Diff([], [], [], [])
    for some in batched(_joined(_ascending(a), _ascending(b))):
        go_on()
        for before, after in some:
            _take(found, before, after)
    return found


def _take(found: Diff, before: Job | None, after: Job | None) -> None:
    if before is None or after is None:
        if before is not None:
            found.only_a.append(before)
        if after is not None:
            found.only_b.append(after)
    elif before == after or not (changes := _changes(before, after)):
        found.unchanged.append(after)
    else:
        found.changed.append(JobChange(before, after, changes))


def _ascending(jobs: Iterable[Job]) -> Iterator[Job]:
    """In the order of their ids, as those of an archive are already."""
    listed = list(jobs)
    if all(one.id < two.id for one, two in pairwise(listed)):
        return iter(listed)
    return iter(sorted_by_id((job.id, job) for job in listed).values())


def _joined(a: Iterator[Job], b: Iterator[Job]) -> Iterator[tuple[Job | None, Job | None]]:
    """Both, side by side."""
    before, after = next(a, None), next(b, None)
    while before is not None or after is not None:
        if after is None or (before is not None and before.id < after.id):
            yield before, None
            before = next(a, None)
        elif before is None or after.id < before.id:
            yield None, after
            after = next(b, None)
        else:
            yield before, after
            before, after = next(a, None), next(b, None)


def _changes(before: Job, after: Job) -> tuple[FieldChange, ...]:
    found = [
        FieldChange(name, getattr(before, name), getattr(after, name))
        for name in _FIELDS
        if getattr(before, name) != getattr(after, name) and not _unknown(name, before, after)
    ]
    memos = before.annotations.get("user"), after.annotations.get("user")
    if memos[0] != memos[1]:
        found.append(FieldChange("annotations.user", *memos))
    return tuple(found)


def _unknown(name: str, before: Job, after: Job) -> bool:
    """What `flux jobs` does not tell: these times before 0.88, the exception of an active job."""
    if name == "exception":
        return JobState.INACTIVE not in (before.state, after.state)
    return name in ("t_priority", "t_sched") and None in (
        getattr(before, name),
        getattr(after, name),
    )
