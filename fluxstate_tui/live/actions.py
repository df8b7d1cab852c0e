"""What screens may ask for. Screens know no client: the wiring passes something that can do it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from msgspec import Struct

from fluxstate_tui.flux.job import Job

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from fluxstate_tui.archive.manifest import CatalogEntry
    from fluxstate_tui.archive.progress import Reading
    from fluxstate_tui.archive.verify import Verdict
    from fluxstate_tui.flux.eventlog import Event
    from fluxstate_tui.live.store import Store
    from fluxstate_tui.minicluster.minicluster import ClusterRef
    from fluxstate_tui.operations.base import (
        Choices,
        OperationKind,
        Outcome,
        Plan,
        StepEvent,
    )
    from fluxstate_tui.operations.lease import Holder
    from fluxstate_tui.tasks import Course


class Operation(Protocol):
    """A prepared operation: nothing has happened yet."""

    @property
    def plan(self) -> Plan:
        """What it is going to do."""
        ...

    @property
    def there(self) -> Store | None:
        """What shows where a migration goes to, None when it is the dashboard's own store."""
        ...

    async def run(self, progress: Callable[[StepEvent], None], typed: str = "") -> Outcome:
        """Do it. `typed` is what the user typed; the operation itself checks it."""
        ...

    def cancel(self) -> None:
        """Ask it to stop: `run` then puts back what was done and returns what it did."""
        ...

    def hurry(self) -> None:
        """Leave what is not put back within seconds; the journal says what."""
        ...

    async def close(self) -> None:
        """Give back what was prepared, when the user says no."""
        ...


class OutputLine(Struct, frozen=True):
    """A piece of a job's output: stream (stdout or stderr), task rank, and text."""

    stream: str
    rank: str
    text: str


class JobDetail(Struct, frozen=True):
    """Everything of one job that the table does not show. `jobspec` is None if it is unreadable.

    `places` are the nodes and cores that it got (model/resources.py). `trouble` says in one
    sentence what could not be read, '' if all was.
    """

    events: tuple[Event, ...] = ()
    jobspec: dict[str, Any] | None = None
    output: tuple[OutputLine, ...] = ()
    trouble: str = ""
    places: tuple[str, ...] = ()


class Interrupted(Struct, frozen=True):
    """An operation whose program was killed, compared with the world.

    `next` is the operation that would put right what it left, None when there is nothing;
    `archive` is the one that it takes, '' where it takes none.
    """

    id: str
    ref: ClusterRef
    operation: str
    says: tuple[str, ...]
    next: OperationKind | None = None
    archive: str = ""


class SubmitRequest(Struct, frozen=True):
    """A job to submit. `nodes` None leaves the choice to Flux; `copies` submits it many times.

    `command` is a list of words, never a shell line. `cores` is per task, `limit` in seconds (0 =
    none), `dependencies` as on Flux's command line (`afterok:ID`). `tutorial` submits the
    tutorials' loop instead: `sleep i` and `whoami`, five times.
    """

    command: tuple[str, ...] = ()
    tasks: int = 1
    nodes: int | None = None
    copies: int = 1
    tutorial: bool = False
    cores: int = 1
    limit: float = 0.0
    name: str = ""
    queue: str = ""
    dependencies: tuple[str, ...] = ()


class SubmitAnswer(Struct, frozen=True):
    """What became of jobs to submit: `of` were asked for, and these ids Flux gave.

    Flux refused `refused` (its words about the first are in `why`); `unanswered` were sent and may
    have been taken or not, because of `lost`. The others were never sent.
    """

    of: int
    ids: tuple[int, ...]
    refused: int = 0
    why: str = ""
    unanswered: int = 0
    lost: str = ""

    @property
    def unsent(self) -> int:
        """How many were never sent."""
        return self.of - len(self.ids) - self.refused - self.unanswered


class Actions(Protocol):
    """The way out of the dashboard. Every method raises FluxstateError with what to do."""

    async def prepare(self, kind: OperationKind, ref: ClusterRef, choices: Choices) -> Operation:
        """Read the world and plan an operation."""
        ...

    async def default_archive(self, ref: ClusterRef) -> str:
        """The id of the archive that a restore would take by itself; '' when that is not clear."""
        ...

    async def contexts(self) -> tuple[str, ...]:
        """The contexts that a migration could go to, the one that is shown first."""
        ...

    async def namespaces(self, context: str) -> tuple[str, ...]:
        """The namespaces of a context, as far as they may be listed."""
        ...

    async def holder(self, ref: ClusterRef) -> Holder | None:
        """The operator who works on it now, None when nobody does or we may not look."""
        ...

    async def break_lock(self, ref: ClusterRef, holder: Holder) -> None:
        """Take that very lock away from its holder."""
        ...

    async def preview_restore(
        self, ref: ClusterRef, archive: str, size: int | None
    ) -> tuple[str, ...]:
        """What a restore of that archive onto `size` pods would bring, in plain lines."""
        ...

    async def job_detail(self, ref: ClusterRef, job_id: int) -> JobDetail:
        """Eventlog, jobspec and output of one job."""
        ...

    async def submit(self, ref: ClusterRef, request: SubmitRequest, course: Course) -> SubmitAnswer:
        """Submit jobs until the course is stopped. Raises when none was submitted."""
        ...

    async def act_on_jobs(
        self, ref: ClusterRef, ids: tuple[int, ...], request: JobRequest, course: Course
    ) -> tuple[JobAnswer, ...]:
        """Do it to each job; what was read back of each, or why Flux refused it.

        When the course is stopped, the jobs that it was not done to have no answer.
        """
        ...

    def follow_output(
        self, ref: ClusterRef, job_id: int
    ) -> AbstractAsyncContextManager[AsyncIterator[tuple[OutputLine, ...]]]:
        """A job's output from its begin, live, until the job ends or the context is left."""
        ...

    def look(self, viewer: str, refs: Iterable[ClusterRef]) -> None:
        """`viewer` (a screen) shows these MiniClusters now, the most important first.

        They are connected, up to a limit; none ends it.
        """
        ...

    def connected(self) -> int:
        """How many MiniClusters are connected: of the others only the last answers are known."""
        ...

    async def refresh_archives(self, ref: ClusterRef) -> None:
        """Read the catalog again; it comes back through the store."""
        ...

    async def open_archive(self, ref: ClusterRef, entry: CatalogEntry, reading: Reading) -> Verdict:
        """Fetch an archive of the catalog, read it and verify it; `reading` says how far."""
        ...

    def agree_to_helper_pod(self, ref: ClusterRef) -> None:
        """Let a helper pod read the archives of that MiniCluster, as long as this program runs."""
        ...

    async def interrupted(self) -> tuple[Interrupted, ...]:
        """Operations on this cluster whose program was killed, as the world is now."""
        ...

    async def close_interrupted(self, identity: str) -> None:
        """Do not show that one again; what it left stays as it is."""
        ...

    def why_not(self, kind: OperationKind | Literal["submit"], ref: ClusterRef) -> str:
        """Why that is not allowed there (a missing right, --read-only), '' if it is."""
        ...


# What can be done to jobs, which of the chosen jobs it will touch, and which not and why.

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
    """What became of one job: whether Flux took the request, and what was read back, or why not.

    `seen` is False where Flux took it, but its effect was not there to be read yet; `new` is the
    job that was submitted.
    """

    id: int
    taken: bool
    said: str
    seen: bool = True
    new: int | None = None


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


_TYPE = re.compile(r"[A-Za-z0-9_.-]+")
MAX_URGENCY = 31
MAX_SEVERITY = 7


class MistakeError(ValueError):
    """A field cannot be read; the message says which and why."""


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


def read_request(verb: JobVerb, written: Mapping[str, str]) -> JobRequest:
    """The request that these fields mean. Raises MistakeError."""
    text = {name: value.strip() for name, value in written.items()}
    if verb == "raise" and not _TYPE.fullmatch(text["type"]):
        raise MistakeError("Write the type of the exception, one word.")
    return JobRequest(
        verb,
        type=text.get("type", ""),
        severity=_number(text.get("severity", "0"), "severity", MAX_SEVERITY),
        note=text.get("note", ""),
        urgency=_number(text.get("urgency", "16"), "urgency", MAX_URGENCY),
        limit=_seconds(text["limit"]) if verb == "limit" else 0.0,
    )


def _number(text: str, name: str, most: int) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > most:
        raise MistakeError(f"{name} is a number from 0 to {most}.")
    return int(text)


def _seconds(text: str) -> float:
    if not text:
        raise MistakeError("Write how long the job may run, for example 30m.")
    try:
        from fluxstate_tui.flux.jobspec import parse_duration

        return parse_duration(text)
    except ValueError as error:
        raise MistakeError(str(error)) from error


def holds_or_releases(jobs: Iterable[Job]) -> JobVerb | None:
    """What one key for both does: release if all that wait are held; None if none waits."""
    waiting = [job for job in jobs if job.state.pending]
    if not waiting:
        return None
    return "release" if all(job.urgency == 0 for job in waiting) else "hold"
