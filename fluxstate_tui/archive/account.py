"""The account: what became of every saved job, job by job. A restore is right if none is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from fluxstate_tui.model.job import Job, JobResult, JobState


class Fortune(Enum):
    """What became of a saved job. NEW is a live job that was not saved."""

    SAME = "same"
    RUNNING = "running"
    FINISHED_SINCE = "finished_since"
    REFUSED = "refused"
    LOST = "lost"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Accounted:
    """One job with its fortune and, where it is not obvious, the reason."""

    job: Job
    fortune: Fortune
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """The whole account. `counts` has a number for every fortune, by its value."""

    jobs: tuple[Accounted, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many jobs of each fortune: same, running, finished_since, refused, lost, new."""
        found = Counter(one.fortune.value for one in self.jobs)
        return {fortune.value: found.get(fortune.value, 0) for fortune in Fortune}

    @property
    def balanced(self) -> bool:
        """No job is lost."""
        return all(one.fortune is not Fortune.LOST for one in self.jobs)

    def explain(self) -> str:
        """One line, such as `11 saved: 7 same, 2 running, 2 finished since, 0 refused, 0 lost`."""
        counts = self.counts
        saved = sum(counts.values()) - counts["new"]
        words = ("same", "running", "finished_since", "refused", "lost")
        line = ", ".join(f"{counts[word]} {word.replace('_', ' ')}" for word in words)
        return f"{saved} saved: {line}" + (f"; {counts['new']} new" if counts["new"] else "")


def account(saved: Iterable[Job], live: Iterable[Job]) -> Account:
    """Compare saved jobs with what is there now, each with a fortune."""
    there = {job.id: job for job in live}
    jobs = [_judge(job, there.pop(job.id, None)) for job in saved]
    jobs.extend(Accounted(job, Fortune.NEW) for job in there.values())
    return Account(tuple(jobs))


def _judge(saved: Job, live: Job | None) -> Accounted:
    if live is None:
        return Accounted(saved, Fortune.LOST, "it is not there")
    if (saved.t_submit, saved.userid) != (live.t_submit, live.userid):
        return Accounted(saved, Fortune.LOST, "another job has its id")
    if saved.state is JobState.INACTIVE:
        return _judge_history(saved, live)
    if live.state is JobState.INACTIVE:
        return _judge_end(saved, live)
    if saved.state.running and live.state.pending:
        return Accounted(live, Fortune.LOST, "it ran, and waits again now")
    if live.state.running and not saved.state.running:
        return Accounted(live, Fortune.RUNNING)
    return Accounted(live, Fortune.SAME)


def _judge_history(saved: Job, live: Job) -> Accounted:
    """A finished job must be the same, to its end."""
    if live.state is not JobState.INACTIVE:
        return Accounted(live, Fortune.LOST, f"it was {saved.status}, and is {live.status} now")
    before = (saved.result, saved.waitstatus, saved.t_inactive)
    if before != (live.result, live.waitstatus, live.t_inactive):
        return Accounted(live, Fortune.LOST, "it ended differently than it was saved")
    return Accounted(live, Fortune.SAME)


def _judge_end(saved: Job, live: Job) -> Accounted:
    """A saved active job that is over now."""
    exception = live.exception
    fatal = exception is not None and exception.severity == 0
    if live.result is JobResult.FAILED and fatal and exception is not None:
        if saved.state.running and live.waitstatus is None:
            reason = f"it ran when it was dumped ({exception.note})"
            return Accounted(live, Fortune.REFUSED, reason)
        if live.t_run is None:
            return Accounted(live, Fortune.REFUSED, f"{exception.type}: {exception.note}")
    return Accounted(live, Fortune.FINISHED_SINCE)
