"""What a delete would lose, job by job."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fluxstate_tui.flux.job import JobState
from fluxstate_tui.operations.data_loss import loss
from tests.unit.operations.builders import job


def test_an_archive_that_has_every_job_as_it_is_loses_nothing() -> None:
    jobs = [job(1, JobState.INACTIVE), job(2)]
    assert loss(jobs, jobs).nothing


def test_a_job_that_no_archive_has_is_lost() -> None:
    found = loss([job(1), job(2)], [job(1)])
    assert [one.id for one in found.missing] == [job(2).id]
    assert "1 pending" in found.explain()[0]


@pytest.mark.parametrize("state", [JobState.RUN, JobState.CLEANUP, JobState.INACTIVE])
def test_a_job_that_went_on_since_the_archive_would_run_again(state: JobState) -> None:
    found = loss([job(1, state)], [job(1)])
    assert [one.id for one in found.again] == [job(1).id]
    assert not found.nothing


def test_a_job_that_runs_in_the_archive_too_would_come_back_failed() -> None:
    running = job(1, JobState.RUN)
    assert loss([running], [running]).again == (running,)


def test_moving_between_states_of_waiting_loses_nothing() -> None:
    assert loss([job(1, JobState.SCHED)], [job(1, JobState.PRIORITY)]).nothing


def test_a_changed_urgency_of_a_waiting_job_is_a_loss() -> None:
    held = replace(job(1), urgency=0)
    assert loss([held], [job(1)]).changed == (held,)


def test_an_archive_may_hold_jobs_that_were_purged_since() -> None:
    assert loss([], [job(1, JobState.INACTIVE)]).nothing
