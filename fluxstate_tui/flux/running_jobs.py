"""What to expect of the jobs that still run: pure arithmetic on their limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fluxstate_tui.flux.job import Job
from fluxstate_tui.flux.jobid import f58


@dataclass(frozen=True, slots=True)
class Expectation:
    """`seconds` until the last job with a time limit must be done; `open_ended` have none."""

    seconds: float
    open_ended: int

    def __str__(self) -> str:
        text = f"time limits end within {duration(self.seconds)}" if self.seconds > 0 else ""
        if not self.open_ended:
            return text or "any moment"
        limitless = f"{self.open_ended} {'has' if self.open_ended == 1 else 'have'} no time limit"
        return f"{text}; {limitless}" if text else limitless


def expect(jobs: Iterable[Job], now: float) -> Expectation:
    """How long it can take until these running jobs are done, by their time limits."""
    longest = 0.0
    open_ended = 0
    for job in jobs:
        if job.duration <= 0 or job.t_run is None:
            open_ended += 1
        else:
            longest = max(longest, job.t_run + job.duration - now)
    return Expectation(longest, open_ended)


def names(jobs: Iterable[Job], now: float, most: int = 4) -> str:
    """`f2xyz sleep 12s, f3abc md 2h03m and 5 more`."""
    listed = sorted(jobs, key=lambda job: job.t_run or 0.0)
    shown = [f"{f58(job.id)} {job.name} {duration(job.runtime(now) or 0)}" for job in listed]
    text = ", ".join(shown[:most])
    return f"{text} and {len(shown) - most} more" if len(shown) > most else text


def duration(seconds: float) -> str:
    """`45s`, `12m05s`, `3h20m`, `2d04h`."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes_rest = divmod(minutes, 60)
    days, hours_rest = divmod(hours, 24)
    if days:
        return f"{days}d{hours_rest:02}h"
    if hours:
        return f"{hours}h{minutes_rest:02}m"
    if minutes:
        return f"{minutes}m{rest:02}s"
    return f"{rest}s"
