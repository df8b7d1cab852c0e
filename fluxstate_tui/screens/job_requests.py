"""What can be done to jobs, which of the chosen jobs it will touch, and which not and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from fluxstate_tui.model.job import Job

JobVerb = Literal["cancel", "kill", "raise", "hold", "release", "urgency", "limit", "again"]
RELEASED: Final = 16
"""The urgency that Flux gives a job unless told (RFC 21)."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One thing to do to some jobs.

    `type`, `severity` (0 ends the job, 7 only notes something) and `note` are an exception's
    (RFC 21). `urgency` is from 0 (held) to 31, `limit` in seconds from the job's start.
    """

    verb: JobVerb
    type: str = ""
    severity: int = 0
    note: str = ""
    urgency: int = RELEASED
    limit: float = 0.0


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """What became of one job: whether Flux took the request, and what was read back, or why not."""

    id: int
    taken: bool
    said: str


@dataclass(frozen=True, slots=True)
class JobVerbInfo:
    """How an action is called in the menu, what it means, and whether it cannot be undone."""

    label: str
    hint: str
    final: bool = False


VERBS: Final[dict[JobVerb, JobVerbInfo]] = {
    "cancel": JobVerbInfo("Cancel", "ends it; it does not come back", True),
    "kill": JobVerbInfo("Kill", "sends SIGTERM to its tasks", True),
    "raise": JobVerbInfo("Raise", "an exception of any type; severity 0 ends the job", True),
    "hold": JobVerbInfo("Hold", "urgency 0: it waits until it is released"),
    "release": JobVerbInfo("Release", f"urgency {RELEASED}: it may start"),
    "urgency": JobVerbInfo("Urgency", "0 holds it, 31 goes before all others"),
    "limit": JobVerbInfo("Time limit", "how long it may run"),
    "again": JobVerbInfo("Submit again", "the same jobspec as a new job"),
}


@dataclass(frozen=True, slots=True)
class JobPlan:
    """The jobs that a request will touch, and those that it leaves alone, each with the reason."""

    request: JobRequest
    touched: tuple[Job, ...]
    skipped: tuple[tuple[Job, str], ...]


def plan(request: JobRequest, jobs: Iterable[Job]) -> JobPlan:
    """Decide by what is known of the jobs now; Flux decides again when it is asked."""
    touched: list[Job] = []
    skipped: list[tuple[Job, str]] = []
    for job in jobs:
        why = why_not(request.verb, job)
        if why:
            skipped.append((job, why))
        else:
            touched.append(job)
    return JobPlan(request, tuple(touched), tuple(skipped))


def why_not(verb: JobVerb, job: Job) -> str:
    """Why that cannot be done to this job, '' if it can."""
    if verb == "again":
        return ""
    if not (job.state.pending or job.state.running):
        return "is over"
    if verb == "kill" and not job.state.running:
        return "does not run"
    if verb in ("hold", "release", "urgency") and not job.state.pending:
        return "has its resources already"
    if verb == "hold" and job.urgency == 0:
        return "is held already"
    if verb == "release" and job.urgency != 0:
        return "is not held"
    return ""


def holds_or_releases(jobs: Iterable[Job]) -> JobVerb | None:
    """What one key for both does: release if all that wait are held; None if none waits."""
    waiting = [job for job in jobs if job.state.pending]
    if not waiting:
        return None
    return "release" if all(job.urgency == 0 for job in waiting) else "hold"
