"""What was read from the world before a plan is made: plans are pure functions of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxstate_tui.model.job import Job, JobState

if TYPE_CHECKING:
    from fluxstate_tui.archive.manifest import CatalogueEntry
    from fluxstate_tui.model.minicluster import MiniCluster
    from fluxstate_tui.model.queue import Queue

# Queues that carry this in their stop reason were stopped by us: it is how any dashboard, on any
# computer, knows which queues a resume has to start again.
PAUSED_BY_US = "fluxstate:"


@dataclass(frozen=True, slots=True)
class Observation:
    """One MiniCluster at one moment. `now` is the cluster's clock, in seconds since the epoch.

    `jobs` and `queues` are None when the broker could not be asked (`unreachable` says why);
    `free` is the room on the volume in bytes; `checkpoint` is the KVS value of
    `checkpoint.job-manager`, None without one (flux-core 0.88: facts/flux.md, 2); `going_claim` is
    the volume claim of the archives if it is being deleted.
    """

    minicluster: MiniCluster
    now: float
    queues: tuple[Queue, ...] | None = None
    jobs: tuple[Job, ...] | None = None
    catalogue: tuple[CatalogueEntry, ...] = ()
    armed: bool = False
    free: int | None = None
    checkpoint: str | None = None
    core_version: str = ""
    unreachable: str = ""
    going_claim: str = ""

    @property
    def pending(self) -> tuple[Job, ...]:
        """Jobs that wait."""
        return tuple(job for job in self.jobs or () if job.state.pending)

    @property
    def running(self) -> tuple[Job, ...]:
        """Jobs that hold resources."""
        return tuple(job for job in self.jobs or () if job.state.running)

    @property
    def started(self) -> tuple[str, ...]:
        """Names of the queues that schedule ('' is the anonymous one)."""
        return tuple(queue.name for queue in self.queues or () if queue.started)

    @property
    def stopped_by_us(self) -> tuple[str, ...]:
        """Names of the queues that were stopped by this program, on whatever computer."""
        return tuple(
            queue.name
            for queue in self.queues or ()
            if not queue.started and queue.stop_reason.startswith(PAUSED_BY_US)
        )

    @property
    def closed_by_us(self) -> tuple[str, ...]:
        """Names of the queues that refuse new jobs because of this program."""
        return tuple(
            queue.name
            for queue in self.queues or ()
            if not queue.enabled and queue.disable_reason.startswith(PAUSED_BY_US)
        )


def counts(jobs: Iterable[Job]) -> dict[str, int]:
    """Jobs by status, as manifests have them."""
    return dict(Counter(job.status for job in jobs))


def describe(jobs: Iterable[Job]) -> str:
    """`2 running, 5 pending, 1008 completed`: in the words of `flux jobs --stats-only`."""
    words: Counter[str] = Counter()
    for job in jobs:
        if job.state is JobState.INACTIVE:
            words[job.status.lower()] += 1
        else:
            words["running" if job.state.running else "pending"] += 1
    order = ("running", "pending", "completed", "failed", "canceled", "timeout")
    known = [f"{words.pop(word)} {word}" for word in order if words[word]]
    return (
        ", ".join(known + [f"{count} {word}" for word, count in sorted(words.items()) if count])
        or "no jobs"
    )


def counted(count: int, noun: str) -> str:
    """`1 job`, `4 jobs`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def queue_words(names: Iterable[str]) -> str:
    """`the queue` for the anonymous one, else `queues batch, debug`."""
    named = [name for name in names if name]
    if not named:
        return "the queue"
    return ("queue " if len(named) == 1 else "queues ") + ", ".join(named)
