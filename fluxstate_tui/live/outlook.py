"""How fast a queue works, and how long until it is idle: by time limits, else by its own past."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Final

from fluxstate_tui.flux.job import Job, JobResult

if TYPE_CHECKING:
    from fluxstate_tui.live.picture import ClusterPicture


WINDOW: Final = 300.0
"""Seconds of our clock over which throughput is counted."""
MOST_LOOKED_AT: Final = 20_000


@dataclass(frozen=True, slots=True)
class Throughput:
    """Jobs that ended in that time, in seconds of the cluster's clock."""

    ended: int
    seconds: float

    @property
    def per_minute(self) -> float:
        """Jobs per minute."""
        return self.ended * 60 / self.seconds


def ended_between(picture: ClusterPicture) -> list[int]:
    """How many jobs ended between each sample and the next. A queue that went back counts none."""
    over = [sample.over for sample in picture.history]
    return [max(0, after - before) for before, after in pairwise(over)]


def throughput(picture: ClusterPicture) -> Throughput | None:
    """Over the last minutes, None while there is less than one interval to count."""
    times = [sample.at for sample in picture.history]
    first = next((n for n, at in enumerate(times) if at >= times[-1] - WINDOW), 0)
    if len(times) - first < 2:
        return None
    seconds = picture.cluster_now(times[-1]) - picture.cluster_now(times[first])
    return Throughput(sum(ended_between(picture)[first:]), seconds) if seconds > 0 else None


def run_times(jobs: Iterable[Job]) -> dict[str, float]:
    """The mean time in seconds that completed jobs of each name ran."""
    sums: dict[str, tuple[int, float]] = {}
    for job in islice(jobs, MOST_LOOKED_AT):
        if job.result is JobResult.COMPLETED and job.t_run and job.t_cleanup:
            count, total = sums.get(job.name, (0, 0.0))
            sums[job.name] = (count + 1, total + job.t_cleanup - job.t_run)
    return {name: total / count for name, (count, total) in sums.items()}


@dataclass(frozen=True, slots=True)
class Outlook:
    """Seconds until nothing is left to do, as far as it is known, and what that rests on.

    `limited` jobs have a time limit and may end earlier; `guessed` ones are taken to run as long
    as completed jobs of their name; of `unknown` ones nothing is known. `held` wait for a release.
    """

    seconds: float
    limited: int
    guessed: int
    unknown: int
    held: int


def until_idle(active: Iterable[Job], times: dict[str, float], cores: int, now: float) -> Outlook:
    """At least as long as the longest job, and as the work takes on that many cores.

    `now` is the cluster's time. Order and placement of jobs are the scheduler's: not looked at.
    """
    longest = work = 0.0
    limited = guessed = unknown = held = 0
    for job in active:
        if job.state.pending and job.urgency == 0:
            held += 1
            continue
        if job.duration > 0:
            limited += 1
            whole = job.duration
        elif job.name in times:
            guessed += 1
            whole = times[job.name]
        else:
            unknown += 1
            continue
        left = max(0.0, whole - (now - job.t_run if job.t_run is not None else 0.0))
        longest = max(longest, left)
        work += left * (job.ncores or 1)
    return Outlook(max(longest, work / cores if cores else 0.0), limited, guessed, unknown, held)
