"""A begin-time is shown as a date, for people with the year that is not this one."""

from __future__ import annotations

import time

import pytest

from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.flux.job_json import begin_time, dependency_text, dependency_words
from fluxstate_tui.tui.screens.jobs.columns import info_text


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


PAST = "begin-time=1700000000.0"  # 2023-11-14 22:13:20
NOW = 1_795_296_000.0  # 2026-11-22


def test_a_date_of_another_year_has_its_year_for_people_and_is_as_flux_prints_it_for_programs() -> (
    None
):
    assert dependency_words(PAST, NOW) == "begin@2023-Nov14-22:13:20"
    assert dependency_text(PAST, NOW) == "begin@Nov14-22:13:20"


def test_a_date_of_this_year_or_day_is_short() -> None:
    assert dependency_words(f"begin-time={NOW - 86400 * 9}", NOW) == "begin@Nov12-21:20"
    assert dependency_words(f"begin-time={NOW + 60}", NOW) == "begin@21:21"


@pytest.mark.parametrize("text", ["begin-time=soon", "begin-time=nan", "begin-time=", "singleton"])
def test_what_is_no_time_stays_as_it_is(text: str) -> None:
    assert begin_time(text) is None
    assert dependency_words(text, NOW) == text


def test_the_info_of_a_job_that_waits_for_a_time_has_a_date_and_no_seconds_of_an_epoch() -> None:
    job = Job(1, 0, JobState.DEPEND, dependencies=(PAST, "after-success=ƒ2"))
    assert info_text(job) == "depends:begin@2023-Nov14-22:13:20,after-success=ƒ2"
