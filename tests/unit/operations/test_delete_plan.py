"""A delete says what is lost, and asks for more the more that is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fluxstate_tui.archive.manifest import CatalogEntry
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.job import JobState
from fluxstate_tui.operations.base import Choices, ConsentKind, Running
from fluxstate_tui.operations.data_loss import BackupCoverage, DataLoss, candidates, loss
from fluxstate_tui.operations.delete import CLOSE, COMPARE, plan
from tests.unit.operations.builders import NOW, REF, job, observation
from tests.unit.operations.test_catalog import manifest

DONE = job(1, JobState.INACTIVE)
WAITING = job(2)


def entry(identity: str = "a", **fields: object) -> CatalogEntry:
    found = replace(manifest(identity), **fields)  # type: ignore[arg-type]
    return CatalogEntry(identity, f"/f/{identity}.tar.gz", 3, NOW, found)


def test_only_verified_archives_of_the_same_uid_stand_for_a_minicluster() -> None:
    good = entry("good")
    others = (
        entry("other-uid", uid="uid-2"),
        entry("size-only", verified="L0"),
        replace(entry("cut"), problem="it has 2 bytes"),
        replace(entry("foreign"), manifest=None),
    )
    assert candidates((*others, good), REF) == [good]


def test_the_newest_archive_is_compared() -> None:
    old, new = entry("old", created=NOW - 60), entry("new", created=NOW)
    assert candidates((old, new), REF)[0] is new


def test_a_delete_of_what_is_saved_only_needs_a_yes() -> None:
    found = plan(observation(DONE), BackupCoverage(entry(), DataLoss()), Choices())
    assert found.consent.kind is ConsentKind.CONFIRM
    assert any("Nothing is lost" in line for line in found.preview)


def test_a_delete_that_loses_jobs_needs_the_name_and_says_which() -> None:
    seen = observation(DONE, WAITING)
    found = plan(seen, BackupCoverage(entry(), loss(seen.jobs or (), [DONE])), Choices())
    assert found.consent.kind is ConsentKind.TYPE_NAME
    assert found.consent.word == REF.name
    assert any("LOST, in no archive: 1 pending" in line for line in found.preview)


def test_after_a_save_that_left_jobs_running_only_their_results_are_lost() -> None:
    running = [job(number, JobState.RUN, t_run=NOW) for number in (3, 4)]
    seen = observation(DONE, WAITING, *running)
    saved = entry(idle=False)
    assert candidates((saved,), REF) == [saved]
    found = plan(seen, BackupCoverage(saved, loss(seen.jobs or (), seen.jobs or ())), Choices())
    assert found.consent.kind is ConsentKind.TYPE_NAME
    assert found.consent.loses == 2
    assert found.consent.question == f"Deleting {REF} loses the results of 2 jobs."
    assert [line for line in found.preview if line.startswith("LOST")] == [
        "LOST result, would run again or fail: 2 running"
    ]


def test_even_an_empty_queue_without_any_archive_needs_the_name() -> None:
    found = plan(observation(), BackupCoverage(None, DataLoss(), "No verified archive."), Choices())
    assert found.consent.kind is ConsentKind.TYPE_NAME


def test_a_volume_claim_that_goes_with_the_last_pod_needs_the_name() -> None:
    found = plan(
        observation(DONE, going_claim="data"), BackupCoverage(entry(), DataLoss()), Choices()
    )
    assert found.consent.kind is ConsentKind.TYPE_NAME
    assert "The volume and the catalog stay." not in found.preview
    assert "the volume claim data is being deleted" in found.preview[-1]


def test_a_queue_that_cannot_be_read_counts_as_lost() -> None:
    seen = replace(observation(unreachable="no lead", queues=None), jobs=None)
    found = plan(seen, BackupCoverage(None, DataLoss(), "?"), Choices())
    assert found.consent.kind is ConsentKind.TYPE_NAME
    assert any("UNKNOWN" in line for line in found.preview)
    assert COMPARE not in found.steps


def test_saving_first_makes_it_a_question_again() -> None:
    found = plan(observation(WAITING), BackupCoverage(None, DataLoss()), Choices(save_first=True))
    assert found.consent.kind is ConsentKind.CONFIRM
    ids = [step.id for step in found.steps]
    assert ids.index("wait") < ids.index(CLOSE.id) < ids.index("dump")  # none comes too late
    assert ids.index("manifest") < ids.index(COMPARE.id) < ids.index("delete")
    assert "resume" not in ids


@pytest.mark.parametrize("running", [Running.CANCEL, Running.LEAVE])
def test_saving_first_without_waiting_for_running_jobs_needs_the_name(running: Running) -> None:
    seen = observation(job(3, JobState.RUN, t_run=NOW))
    found = plan(seen, BackupCoverage(None, DataLoss()), Choices(save_first=True, running=running))
    assert found.consent.kind is ConsentKind.TYPE_NAME


def test_saving_first_is_not_offered_where_it_cannot_be_done() -> None:
    seen = replace(observation(unreachable="no lead", queues=None), jobs=None)
    with pytest.raises(FluxstateError, match="no lead"):
        plan(seen, BackupCoverage(None, DataLoss()), Choices(save_first=True))
