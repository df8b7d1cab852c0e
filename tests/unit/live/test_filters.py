"""The filter line finds what it says, and explains its mistakes."""

from __future__ import annotations

import pytest

from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.live.filters import FilterError, parse_filter
from fluxstate_tui.tui.screens.jobs.columns import JOB_FIELDS
from tests.unit.tui_screens.feed import job

JOBS = {
    "running": job(1, JobState.RUN, name="lammps", nnodes=4),
    "waiting": job(2, name="osu [/foo]", userid=1000, nnodes=None),
    "over": job(3, JobState.INACTIVE, name="sleep"),
}


def found(line: str) -> set[str]:
    where = parse_filter(line, JOB_FIELDS)
    assert where is not None
    return {name for name, one in JOBS.items() if where(one)}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("lamm", {"running"}),
        ("LAMM", {"running"}),
        ("state:run", {"running"}),
        ("state:pending", {"waiting"}),
        ("state:run,sched", {"running", "waiting"}),
        ("!state:run", {"waiting", "over"}),
        ("nodes:>2", {"running"}),
        ("nodes:1", {"over"}),
        ("nodes:<=4", {"running", "over"}),
        ("user:root state:completed", {"over"}),
        ('"osu ["', {"waiting"}),
        ('name:"[/foo]"', {"waiting"}),
        ("user:1000 !name:sleep", {"waiting"}),
    ],
)
def test_a_filter_finds(line: str, expected: set[str]) -> None:
    assert found(line) == expected


def test_an_empty_filter_is_no_filter() -> None:
    assert parse_filter("   ", JOB_FIELDS) is None


@pytest.mark.parametrize(
    ("line", "explanation"),
    [
        ("stat:run", "Did you mean state:"),
        ("zzz:1", "Fields: "),
        ("nodes:many", "is a number"),
        ("name:", "needs something after it"),
        ("!", "needs something after it"),
        ('"open', "not closed"),
        ("name:,", "A comma needs a value"),
    ],
)
def test_a_mistake_is_explained(line: str, explanation: str) -> None:
    with pytest.raises(FilterError, match=explanation):
        parse_filter(line, JOB_FIELDS)


def test_a_job_without_nodes_passes_no_comparison_and_no_negation_of_it_is_forgotten() -> None:
    where = parse_filter("!nodes:>2", JOB_FIELDS)
    assert where is not None
    waiting: Job = JOBS["waiting"]
    assert where(waiting)
