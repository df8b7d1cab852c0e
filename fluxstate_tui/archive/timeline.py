"""A job's life as phases, and an archive as a Gantt chart: nodes over time. Pure data to draw."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from fluxstate_tui.model import hostlist
from fluxstate_tui.model.event import Event
from fluxstate_tui.model.job import Job, JobState
from fluxstate_tui.model.replay import JobDraft
from fluxstate_tui.model.steps import in_order, let_go, stretches


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a job's life in one state. Seconds since the epoch; `end` None = still so."""

    state: JobState
    begin: float
    end: float | None

    def seconds(self, now: float) -> float:
        """How long it lasted, or lasts until `now`."""
        return max(0.0, (self.end if self.end is not None else now) - self.begin)


class Interval(msgspec.Struct, frozen=True, gc=False):
    """One job on one node. `end` None = it ran when the archive was dumped."""

    job: Job
    begin: float
    end: float | None


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One node. Jobs that overlap in time (they shared its cores) are in different lanes."""

    host: str
    lanes: tuple[list[Interval], ...]


def life(job_id: int, events: Iterable[Event]) -> tuple[Phase, ...]:
    """The phases of a job from its eventlog, also those that it went through more than once."""
    draft = JobDraft(job_id)
    phases: list[Phase] = []
    for event in events:
        before = draft.state
        try:
            draft.apply(event)
        except ValueError:
            continue
        if not phases:
            phases.append(Phase(draft.state, event.timestamp, None))
        elif draft.state is not before:
            phases[-1] = Phase(before, phases[-1].begin, event.timestamp)
            phases.append(Phase(draft.state, event.timestamp, None))
    return tuple(phase for phase in phases if phase.state is not JobState.INACTIVE)


def span(jobs: Iterable[Job], now: float) -> tuple[float, float] | None:
    """From the first submission to the last end (`now` for jobs that go on), None without jobs."""
    begin = end = None
    for job in jobs:
        begin = job.t_submit if begin is None else min(begin, job.t_submit)
        last = job.t_inactive if job.t_inactive is not None else now
        end = last if end is None else max(end, last)
    return None if begin is None or end is None else (begin, end)


def gantt(
    jobs: Iterable[Job], hosts: str = "", go_on: Callable[[], None] = lambda: None
) -> tuple[NodeRow, ...]:
    """Per node the jobs that ran there, in the order of the nodes.

    `hosts` (a hostlist) names nodes that are shown even if nothing ran there. `go_on` is called now
    and then and may raise, when nobody waits for it any more.
    """
    rows: dict[str, list[Interval]] = {host: [] for host in _expand(hosts)}
    for some in stretches(job for job in jobs if job.t_run is not None):
        go_on()
        for job in some:
            interval = Interval(job, job.t_run, job.t_cleanup)
            for host in _expand(job.nodelist):
                rows.setdefault(host, []).append(interval)
    return tuple(NodeRow(host, _lanes(intervals, go_on)) for host, intervals in rows.items())


def _lanes(intervals: list[Interval], go_on: Callable[[], None]) -> tuple[list[Interval], ...]:
    """The fewest lanes without overlaps: each interval takes the first lane that is free."""
    lanes: list[list[Interval]] = []
    order = in_order((one.begin, one.job.id, at) for at, one in enumerate(intervals))
    for some in stretches(order):
        go_on()
        for _, _, at in some:
            interval = intervals[at]
            for lane in lanes:
                last = lane[-1].end
                if last is not None and last <= interval.begin:
                    lane.append(interval)
                    break
            else:
                lanes.append([interval])
    let_go(order)
    return tuple(lanes)


def _expand(text: str) -> list[str]:
    try:
        return hostlist.expand(text)
    except ValueError:
        return [text]
