"""What a save says before it does anything."""

from __future__ import annotations

import json
from dataclasses import replace as replaced

import pytest
from msgspec.structs import replace

from fluxstate_tui.archive.manifest import CatalogEntry
from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.flux.job import JobState
from fluxstate_tui.operations import saving
from fluxstate_tui.operations.base import Choices, ConsentKind, Running
from tests.unit.archive import given
from tests.unit.operations.builders import NOW, job, minicluster, observation
from tests.unit.operations.test_catalog import manifest

RUNNING = job(1, JobState.RUN, t_run=NOW - 60, duration=120.0)
ENDLESS = job(2, JobState.RUN, t_run=NOW - 60)


def test_a_save_waits_for_running_jobs_and_says_how_long_it_can_take() -> None:
    plan = saving.plan(observation(RUNNING, ENDLESS), Choices())
    said = "Wait for 2 running jobs (time limits end within 1m00s; 1 has no time limit)."
    assert said in plan.preview
    assert plan.consent.kind is ConsentKind.NONE


def test_a_wait_that_has_an_end_says_it_and_what_the_limits_of_the_jobs_are() -> None:
    choices = Choices(Running.WAIT_AT_MOST, wait_seconds=90.0)
    four = [replace(ENDLESS, id=number << 24) for number in range(4)]
    lines = saving.plan(observation(*four), choices).preview
    assert "Wait at most 1m30s for 4 running jobs (4 have no time limit)." in lines


def test_cancelling_running_jobs_needs_the_name_and_says_how_much_work_is_lost() -> None:
    consent = saving.plan(observation(RUNNING), Choices(Running.CANCEL)).consent
    assert (consent.kind, consent.loses) == (ConsentKind.TYPE_NAME, 1)
    assert "cancels 1 running job; 1m00s of work is lost" in consent.question


def test_leaving_running_jobs_out_of_an_archive_only_needs_a_yes_as_they_go_on() -> None:
    consent = saving.plan(observation(RUNNING), Choices(Running.LEAVE)).consent
    assert consent.kind is ConsentKind.CONFIRM
    assert "1 running" in consent.question


def test_what_is_chosen_for_running_jobs_asks_nothing_when_none_runs() -> None:
    for running in (Running.CANCEL, Running.LEAVE):
        assert saving.plan(observation(), Choices(running)).consent.kind is ConsentKind.NONE


def test_the_queue_is_put_back_unless_it_shall_stay_paused() -> None:
    assert saving.RESUME in saving.plan(observation(), Choices()).steps
    kept = saving.plan(observation(), Choices(keep_paused=True))
    assert saving.RESUME not in kept.steps


def test_an_armed_archive_is_called_a_danger() -> None:
    plan = saving.plan(observation(armed=True), Choices())
    assert any(line.startswith("DANGER") for line in plan.preview)


def test_a_stale_checkpoint_that_says_stopped_is_named() -> None:
    stale = json.dumps({"version": 1, "queue": [{"enable": True, "start": False}]})
    plan = saving.plan(observation(checkpoint=stale), Choices())
    assert any("checkpoint" in line for line in plan.preview)


@pytest.mark.parametrize(
    ("version", "words"), [("0.45.0", "comes up started"), ("0.88.0", "comes up paused")]
)
def test_what_a_paused_restore_is_worth_is_said_before(version: str, words: str) -> None:
    plan = saving.plan(observation(core_version=version), Choices(restore_paused=True))
    assert any(words in line for line in plan.preview)


def test_what_may_not_fit_is_asked_before_the_queue_is_touched() -> None:
    entry = CatalogEntry("a", "/state/fluxstate/a.tar.gz", 20_000_000, NOW, None)
    plan = saving.plan(observation(free=15_000_000, catalog=(entry,)), Choices())
    assert plan.consent.kind is ConsentKind.CONFIRM
    assert "It may not fit: the volume has 15,000,000 bytes free" in plan.consent.question
    assert any(line.startswith("It may not fit") for line in plan.preview)


@pytest.mark.parametrize(("name", "most"), [("big-10k", 3.0), ("mixed", 2.0), ("pending", 2.0)])
def test_the_room_is_estimated_within_a_small_factor_of_what_flux_dumped(
    name: str, most: float
) -> None:
    path = given.path(name)
    jobs = [one.job for one in read_archive(path).jobs]
    need, size = saving.room_needed(observation(*jobs)), path.stat().st_size
    assert size <= need <= most * size
    assert not saving.scarce_room(observation(*jobs, free=need))
    assert saving.scarce_room(observation(*jobs, free=need - 1))


def test_a_full_volume_is_refused_before_the_queue_is_touched() -> None:
    with pytest.raises(FluxstateError, match="bytes free"):
        saving.plan(observation(free=0), Choices())


def test_long_output_is_known_from_the_archive_before() -> None:
    entry = CatalogEntry(
        "a", "/f/a.tar.gz", 1_000_000, NOW, replaced(manifest("a"), counts={"COMPLETED": 10})
    )
    jobs = [job(number, JobState.INACTIVE) for number in range(20)]
    seen = observation(*jobs, catalog=(entry,))
    assert saving.room_needed(seen) > 2_000_000


def test_a_minicluster_without_an_archive_path_cannot_be_saved() -> None:
    with pytest.raises(FluxstateError) as caught:
        saving.plan(observation(minicluster=minicluster("")), Choices())
    assert caught.value.exit_code is ExitCode.REFUSED
    assert "archive.path" in caught.value.advice


def test_a_minicluster_whose_brokers_do_not_answer_cannot_be_saved() -> None:
    seen = observation(unreachable="no lead pod", queues=None)
    with pytest.raises(FluxstateError, match="no lead pod"):
        saving.plan(seen, Choices())
