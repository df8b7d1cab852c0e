"""A job's life as phases, and an archive as a Gantt chart: nodes over time. Pure data to draw."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate

import msgspec

from fluxstate_tui import chunked as steps
from fluxstate_tui.chunked import batched, clear_in_chunks, in_order, running_sums
from fluxstate_tui.flux import hostlist
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.job import Job, JobResult, JobState
from fluxstate_tui.flux.reducer import JobBuilder


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
    builder = JobBuilder(job_id)
    phases: list[Phase] = []
    for event in events:
        before = builder.state
        try:
            builder.apply(event)
        except ValueError:
            continue
        if not phases:
            phases.append(Phase(builder.state, event.timestamp, None))
        elif builder.state is not before:
            phases[-1] = Phase(before, phases[-1].begin, event.timestamp)
            phases.append(Phase(builder.state, event.timestamp, None))
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
    for some in batched(job for job in jobs if job.t_run is not None):
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
    for some in batched(order):
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
    clear_in_chunks(order)
    return tuple(lanes)


def _expand(text: str) -> list[str]:
    try:
        return hostlist.expand(text)
    except ValueError:
        return [text]


# Who was on a node when, answered in logarithmic time: what a Gantt chart asks for every cell.
#
# All times are seconds since an origin that the caller chooses (sums stay exact then).

_BAD = (JobResult.FAILED, JobResult.TIMEOUT)


def went_wrong(interval: Interval) -> bool:
    """The job failed or ran out of time. A cancelled one did what it was told."""
    return interval.job.result in _BAD


class Spans:
    """Stretches of time that may overlap: how many there are in a cell, and how full it is."""

    def __init__(self, begins: Iterable[float], ends: Iterable[float]) -> None:
        self._begins: array[float] = array("d", in_order(begins))
        self._ends: array[float] = array("d", in_order(ends))
        self._begun = running_sums(self._begins)
        self._ended = running_sums(self._ends)

    def __len__(self) -> int:
        return len(self._begins)

    def count(self, begin: float, end: float) -> int:
        """How many touch `[begin, end)`."""
        return bisect_left(self._begins, end) - bisect_right(self._ends, begin)

    def seconds(self, begin: float, end: float) -> float:
        """Their time within `[begin, end)`, added up."""
        return self._until(end) - self._until(begin)

    def _until(self, t: float) -> float:
        begun, ended = bisect_right(self._begins, t), bisect_right(self._ends, t)
        return t * (begun - ended) - (self._begun[begun] - self._ended[ended])


class Lane:
    """Jobs on one node, one after the other."""

    def __init__(self, intervals: list[Interval], origin: float, now: float) -> None:
        self.intervals = intervals
        self.begins = array("d", (one.begin - origin for one in intervals))
        self.ends = array("d", (_end(one, now) - origin for one in intervals))
        self._bad = array("q", accumulate(map(went_wrong, intervals), initial=0))

    def between(self, begin: float, end: float) -> range:
        """The positions of the jobs that touch `[begin, end)`."""
        first = max(0, bisect_right(self.begins, begin) - 1)
        while first < len(self.ends) and self.ends[first] <= begin and self.begins[first] < begin:
            first += 1
        return range(first, max(first, bisect_left(self.begins, end)))

    def neighbour(self, begin: float, end: float, direction: int) -> float | None:
        """When the next job after `[begin, end)` begins, or (direction -1) the one before it."""
        at = bisect_left(self.begins, end if direction > 0 else begin) - (direction < 0)
        return self.begins[at] if 0 <= at < len(self.begins) else None

    def bad(self, positions: range) -> int:
        """How many of these went wrong."""
        return self._bad[positions.stop] - self._bad[positions.start]


@dataclass(frozen=True, slots=True)
class Node:
    """One node: its lanes, all jobs of it together, and those that went wrong."""

    host: str
    lanes: tuple[Lane, ...]
    jobs: Spans
    bad: Spans


def occupancy(rows: Iterable[NodeRow], origin: float, now: float) -> tuple[Node, ...]:
    """The nodes of `timeline.gantt`, made ready to be drawn. `now` ends what goes on."""
    return tuple(_node(row, origin, now) for row in rows)


def release_nodes(nodes: Iterable[Node]) -> None:
    """Nobody looks at them any more; a million intervals are not freed in one long step."""
    for node in nodes:
        for lane in node.lanes:
            steps.clear_in_chunks(lane.intervals)


def _node(row: NodeRow, origin: float, now: float) -> Node:
    lanes = tuple(Lane(lane, origin, now) for lane in row.lanes)
    wrong = [
        (lane.begins[at], lane.ends[at])
        for lane in lanes
        for at, one in enumerate(lane.intervals)
        if went_wrong(one)
    ]
    jobs = Spans((t for lane in lanes for t in lane.begins), (t for ln in lanes for t in ln.ends))
    return Node(row.host, lanes, jobs, Spans((b for b, _ in wrong), (e for _, e in wrong)))


def _end(interval: Interval, now: float) -> float:
    """Clocks may go back; a job never lasts less than no time."""
    return max(interval.begin, interval.end if interval.end is not None else now)
