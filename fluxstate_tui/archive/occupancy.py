"""Who was on a node when, answered in logarithmic time: what a Gantt chart asks for every cell.

All times are seconds since an origin that the caller chooses (sums stay exact then).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

from fluxstate_tui.archive.timeline import Interval, NodeRow
from fluxstate_tui.model import steps
from fluxstate_tui.model.job import JobResult
from fluxstate_tui.model.steps import in_order, running_sums

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


def let_go(nodes: Iterable[Node]) -> None:
    """Nobody looks at them any more; a million intervals are not freed in one long step."""
    for node in nodes:
        for lane in node.lanes:
            steps.let_go(lane.intervals)


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
