"""Who was on a node when: the fast answers agree with counting by hand."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fluxstate_tui.archive.timeline import Interval, Lane, NodeRow, Spans, gantt, occupancy
from fluxstate_tui.flux.job import Job, JobResult, JobState

_MOMENTS = st.integers(0, 40)
_STRETCHES = st.lists(st.tuples(_MOMENTS, st.integers(1, 10)), max_size=30)


def job(number: int, begin: float, end: float | None, host: str = "n0") -> Job:
    """A job that ran there."""
    over = end is not None
    return Job(
        id=number,
        userid=0,
        state=JobState.INACTIVE if over else JobState.RUN,
        nodelist=host,
        t_run=begin,
        t_cleanup=end,
        result=JobResult.FAILED if number % 2 else JobResult.COMPLETED,
    )


@settings(max_examples=60, deadline=None)
@given(_STRETCHES, _MOMENTS, st.integers(1, 20))
def test_spans_count_and_add_up_what_touches_a_cell(
    batched: list[tuple[int, int]], begin: int, length: int
) -> None:
    ends = [(b, b + d) for b, d in batched]
    spans = Spans((b for b, _ in ends), (e for _, e in ends))
    end = begin + length
    assert spans.count(begin, end) == sum(b < end and e > begin for b, e in ends)
    inside = sum(max(0, min(e, end) - max(b, begin)) for b, e in ends)
    assert abs(spans.seconds(begin, end) - inside) < 1e-6


@settings(max_examples=60, deadline=None)
@given(_STRETCHES, _MOMENTS, st.integers(1, 20))
def test_the_lanes_of_a_node_find_every_job_of_a_cell_once(
    batched: list[tuple[int, int]], begin: int, length: int
) -> None:
    jobs = [job(number, b, b + d) for number, (b, d) in enumerate(batched)]
    end = begin + length
    found = set()
    bad = 0
    for node in occupancy(gantt(jobs), 0.0, 100.0):
        for lane in node.lanes:
            positions = lane.between(begin, end)
            bad += lane.bad(positions)
            found |= {lane.intervals[at].job.id for at in positions}
    expected = {one.id for one in jobs if _touches(one, begin, end)}
    assert found == expected
    assert bad == sum(number % 2 for number in expected)


def _touches(one: Job, begin: float, end: float) -> bool:
    assert one.t_run is not None
    assert one.t_cleanup is not None
    return one.t_run < end and one.t_cleanup > begin


def test_a_job_that_goes_on_lasts_until_the_dump() -> None:
    (node,) = occupancy(gantt([job(2, 10.0, None)]), 10.0, 60.0)
    assert node.lanes[0].ends[0] == 50.0
    assert node.jobs.seconds(0.0, 100.0) == 50.0


def test_a_job_of_no_length_is_in_the_cell_where_it_was() -> None:
    lane = Lane([Interval(job(2, 5.0, 5.0), 5.0, 5.0)], 0.0, 9.0)
    assert list(lane.between(5.0, 6.0)) == [0]
    assert not lane.between(6.0, 7.0)


def test_a_clock_that_went_back_gives_no_job_of_negative_length() -> None:
    row = NodeRow("n0", ([Interval(job(2, 9.0, 5.0), 9.0, 5.0)],))
    (node,) = occupancy([row], 0.0, 20.0)
    assert node.lanes[0].ends[0] == 9.0


def test_the_next_job_and_the_one_before_are_found_from_any_cell() -> None:
    intervals = [Interval(job(n, t, t + 1.0), t, t + 1.0) for n, t in enumerate((1.0, 5.0, 9.0))]
    lane = Lane(intervals, 0.0, 20.0)
    assert lane.neighbour(4.0, 6.0, 1) == 9.0
    assert lane.neighbour(4.0, 6.0, -1) == 1.0
    assert lane.neighbour(9.0, 10.0, 1) is None
    assert lane.neighbour(0.0, 1.0, -1) is None
