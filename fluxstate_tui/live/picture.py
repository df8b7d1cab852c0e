"""All that is known of one MiniCluster, and how fresh each source of it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fluxstate_tui.flux.job import Job, JobResult, JobState

if TYPE_CHECKING:
    from fluxstate_tui.archive.manifest import CatalogEntry
    from fluxstate_tui.diagnosis.evidence import BrokerView
    from fluxstate_tui.flux.queue import Node, Queue
    from fluxstate_tui.flux.stuck import StuckQueue
    from fluxstate_tui.live.events import BrokerSeen, CountsSeen, GuardSeen
    from fluxstate_tui.minicluster.minicluster import ClusterRef, MiniCluster


# By name, for an enum's members are looked up slowly, and a snapshot can hold 100,000 jobs.
_RUN, _CLEANUP, _OVER = JobState.RUN, JobState.CLEANUP, JobState.INACTIVE
_COMPLETED = JobResult.COMPLETED

HISTORY_STEP = 5.0
HISTORY_LENGTH = 120


@dataclass(frozen=True, slots=True)
class Sample:
    """How many jobs there were at a moment (seconds by our clock)."""

    at: float
    pending: int
    running: int
    over: int


@dataclass(slots=True)
class JobCounts:
    """Jobs by what a user asks for first; kept by adding and taking away single jobs."""

    pending: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0

    def recount(self, jobs: Iterable[Job]) -> None:
        """Count from nothing. Nearly all jobs of a long list are completed, and so over."""
        known = list(jobs)
        others = [job for job in known if job.result is not _COMPLETED]
        self.pending = self.running = self.failed = 0
        self.done = len(known) - len(others)
        for job in others:
            self.add(job)

    def add(self, job: Job, step: int = 1) -> None:
        """Count one job, or take it away with step -1."""
        state = job.state
        if state is _RUN or state is _CLEANUP:
            self.running += step
        elif state is not _OVER:
            self.pending += step
        elif job.result is _COMPLETED:
            self.done += step
        elif job.result is not None:
            self.failed += step


def went_back(before: int, now: int) -> str:
    """The loud sentence about a queue that lost jobs it had."""
    return (
        f"The queue went back in time: {before} jobs before, {now} now. "
        "Its container was probably killed and fell back to an older state."
    )


@dataclass(slots=True)
class ClusterPicture:
    """One MiniCluster: the object, what its broker says, its jobs, its archives.

    `gone_at` is when it left the API server; its last picture stays. `warning` is a loud fact:
    a queue that went back in time. `moved_to` is where it was migrated to from here.
    `counted_at` is when the broker counted them while their list was not kept.
    """

    ref: ClusterRef
    minicluster: MiniCluster
    gone_at: float | None = None
    broker: BrokerSeen | None = None
    queues: tuple[Queue, ...] = ()
    nodes: tuple[Node, ...] = ()
    queues_at: float | None = None
    jobs: dict[int, Job] = field(default_factory=dict)
    jobs_at: float | None = None
    counts: JobCounts = field(default_factory=JobCounts)
    catalog: tuple[CatalogEntry, ...] = ()
    catalog_at: float | None = None
    armed: bool = False
    moved_to: str = ""
    guard: GuardSeen | None = None
    inside: BrokerView | None = None
    warning: str = ""
    history: deque[Sample] = field(default_factory=lambda: deque(maxlen=HISTORY_LENGTH))
    counted_at: float | None = None
    _active: dict[int, Job] | None = None
    _stuck: tuple[object, StuckQueue | None] = (None, None)

    @property
    def active(self) -> dict[int, Job]:
        """Jobs that are not over. Looked for once when first wanted, then kept with each change."""
        if self._active is None:
            found = self.jobs.items()
            self._active = {key: job for key, job in found if job.state is not _OVER}
        return self._active

    def stuck(self, now: float) -> StuckQueue | None:
        """Whether nothing runs and the head of the line cannot. `now` is the cluster's time.

        Looked for once after each change: a queue can have 100,000 jobs.
        """
        counts = self.counts
        if counts.running or not counts.pending or self.gone_at is not None:
            return None
        seen = (self.jobs_at, self.queues_at, self.nodes, self.queues)
        if self._stuck[0] != seen:
            from fluxstate_tui.flux.stuck import find_stuck

            self._stuck = (seen, find_stuck(self.jobs.values(), self.queues, self.nodes))
        found = self._stuck[1]
        return found if found is not None and found.since <= now else None

    @property
    def is_armed(self) -> bool:
        """Whether an archive is armed, as read last; of a deleted one nobody knows any more."""
        return self.armed and self.gone_at is None

    def sample(self, now: float) -> bool:
        """Remember the counts every few seconds for the graphs. True if it did."""
        if self.jobs_at is None or (self.history and now < self.history[-1].at + HISTORY_STEP):
            return False
        counts = self.counts
        over = counts.done + counts.failed
        self.history.append(Sample(now, counts.pending, counts.running, over))
        return True

    def cluster_now(self, now: float) -> float:
        """The cluster's own time when ours is `now`; it may be scaled in a simulation."""
        if self.broker is None:
            return now
        seen = self.broker
        return seen.at + seen.clock_offset + (now - seen.at) * seen.clock_rate

    def list_jobs(self, jobs: dict[int, Job], at: float) -> None:
        """Take a complete set of jobs. A queue that went back in time is said aloud."""
        before, self.jobs = self.jobs, jobs.copy()
        self._active = None
        self.counts.recount(self.jobs.values())
        self.counted_at = None
        self.jobs_at = at
        if len(jobs) < len(before) and max(jobs, default=0) < max(before):
            self.warning = went_back(len(before), len(jobs))

    def count_jobs(self, seen: CountsSeen) -> None:
        """Take the broker's own counts. The list, if there is one, is older than they are."""
        self.counts = JobCounts(seen.pending, seen.running, seen.done, seen.failed)
        self.counted_at = seen.at

    def change_jobs(self, jobs: tuple[Job, ...], at: float) -> None:
        """Take some new or changed jobs, in time proportional to their number."""
        for job in jobs:
            known = self.jobs.get(job.id)
            if known is not None:
                self.counts.add(known, -1)
            self.counts.add(job)
            self.jobs[job.id] = job
            if self._active is None:
                continue
            if job.state is _OVER:
                self._active.pop(job.id, None)
            else:
                self._active[job.id] = job
        self.jobs_at = at
