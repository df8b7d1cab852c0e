"""What stretch of time a Gantt chart shows, and how a line of it looks."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from fluxstate_tui.archive.timeline import Node, gantt, occupancy
from fluxstate_tui.flux.job import Job, JobResult, JobState
from fluxstate_tui.tui.widgets.gantt import View, axis, lane_line, load_line, span_text

WHOLE = 100.0


def job(number: int, begin: float, end: float, result: JobResult = JobResult.COMPLETED) -> Job:
    """A job on n0."""
    return Job(
        id=number,
        userid=0,
        state=JobState.INACTIVE,
        name=f"job-{number}",
        nodelist="n0",
        t_run=begin,
        t_cleanup=end,
        result=result,
    )


def node(*jobs: Job) -> Node:
    """The node that they ran on."""
    (found,) = occupancy(gantt(jobs), 0.0, WHOLE)
    return found


def text(line: list[object]) -> str:
    """A line without its tones."""
    return "".join(piece.text for piece in line)  # type: ignore[attr-defined]


def test_a_long_job_is_a_bar_with_how_it_ended_and_its_name() -> None:
    line = lane_line(node(job(1, 10, 60)).lanes[0], View.of_all(WHOLE, 20))
    assert text(list(line)) == "··✓ job-1   ········"
    assert [piece.bar for piece in line if piece.tone == "ok"] == [True]


def test_jobs_that_share_a_cell_are_counted_and_coloured_by_what_went_wrong() -> None:
    jobs = [job(n, 50 + n / 10, 50 + n / 10 + 0.05, JobResult.FAILED) for n in range(3)]
    line = lane_line(
        node(*jobs, job(9, 60, 60.5), job(10, 61, 61.5)).lanes[0], View.of_all(100, 20)
    )
    assert text(list(line))[10] == "3"
    assert line[10].tone == "bad"
    assert text(list(line))[12] == "2"
    assert line[12].tone == "ok"


def test_a_node_with_several_lanes_shows_how_full_it_was() -> None:
    found = node(job(1, 0, 50), job(2, 0, 25), job(3, 0, 25, JobResult.FAILED), job(4, 0, 25))
    line = load_line(found, View.of_all(WHOLE, 4))
    assert text(list(line)) == "█▂··"
    assert [piece.tone for piece in line[:2]] == ["warn", "ok"]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 99), st.floats(0, 30)), max_size=40),
    st.integers(1, 120),
    st.lists(st.sampled_from(["in", "out", "left", "right"]), max_size=8),
)
def test_every_line_is_exactly_as_wide_as_the_view(
    batched: list[tuple[float, float]], width: int, moves: list[str]
) -> None:
    jobs = [job(number, b, min(b + d, WHOLE)) for number, (b, d) in enumerate(batched)]
    view = View.of_all(WHOLE, width)
    for move in moves:
        factor = {"in": 0.3, "out": 3.0}.get(move)
        view = view.zoom(factor, 40.0) if factor else view.pan(7 if move == "right" else -7)
    assert view.begin >= 0
    assert view.end <= WHOLE * 1.001
    for one in occupancy(gantt(jobs), 0.0, WHOLE):
        assert cell_len(text(list(load_line(one, view)))) == width
        for lane in one.lanes:
            assert cell_len(text(list(lane_line(lane, view)))) == width


def test_zooming_keeps_the_moment_under_the_cursor_where_it_is() -> None:
    view = View.of_all(WHOLE, 50)
    closer = view.zoom(0.5, 40.0)
    assert closer.column(40.0) == view.column(40.0)
    assert closer.zoom(2.0, 40.0) == view


def test_a_view_follows_a_moment_that_leaves_it() -> None:
    view = View.of_all(WHOLE, 50).zoom(0.25, 10.0)
    assert 0 <= view.showing(90.0).column(90.0) < 50
    assert view.showing(10.0) == view


@pytest.mark.parametrize("whole", [0.001, 1.0, 98.0, 5e3, 2e6, 1e9, 1e300])
def test_the_axis_has_round_times_that_do_not_run_into_each_other(whole: float) -> None:
    for width in (5, 60, 140):
        labels = axis(View.of_all(whole, width))
        for (left, label), (right, _) in itertools.pairwise(labels):
            assert whole > 1e290 or left + len(label) < right


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0s"), (0.25, "0.25s"), (90, "1m30s"), (3600, "1h"), (7500, "2h05m"), (90000, "1d1h")],
)
def test_moments_since_the_beginning_are_short(seconds: float, said: str) -> None:
    assert span_text(seconds) == said
