"""The reader agrees with what Flux itself said, for every archive that is given."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from fluxstate_tui.archive.compare import account
from fluxstate_tui.archive.preview import PredictedOutcome, preview
from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.archive.verify import counts
from fluxstate_tui.flux.job import JobState
from fluxstate_tui.flux.job_json import job_from_json, job_to_json
from tests.unit.archive import given

# What a dump does not keep, or what `flux jobs` of 0.66 did not tell yet.
_NOW = {"runtime", "t_remaining"}
_NEWER = {"jobid", "t_priority", "t_sched"}


def _differences(ours: dict[str, Any], theirs: dict[str, Any], ignored: set[str]) -> dict[str, Any]:
    keys = (ours.keys() | theirs.keys()) - ignored
    return {
        key: (ours.get(key), theirs.get(key)) for key in keys if ours.get(key) != theirs.get(key)
    }


@pytest.mark.parametrize("name", given.SMALL)
def test_every_field_of_every_job_is_as_flux_told_it_before_the_dump(name: str) -> None:
    truth = given.truth(name)
    archive = read_archive(given.path(name))
    before = {job["id"]: job for job in truth["before"]}
    assert [one.job.id for one in archive.jobs] == sorted(before)
    for one in archive.jobs:
        ignored = set(_NOW) if one.job.state is not JobState.INACTIVE else set()
        ignored |= _NEWER if name == "old-0.66" else set()
        assert _differences(job_to_json(one.job), before[one.job.id], ignored) == {}


@pytest.mark.parametrize("name", given.SMALL)
def test_checksum_and_number_of_entries_are_right(name: str) -> None:
    truth = given.truth(name)
    archive = read_archive(given.path(name))
    assert (archive.sha256, archive.entries) == (truth["sha256"], truth["entries"])
    assert archive.findings == ()
    assert archive.core_version == ("0.66.0" if name == "old-0.66" else "0.88.0")


def test_ten_thousand_jobs_have_the_status_that_flux_counted() -> None:
    archive = read_archive(given.path("big-10k"))
    assert counts(archive) == given.truth("big-10k")["before_counts"]
    assert archive.findings == ()


@pytest.mark.parametrize("name", given.SMALL)
def test_a_restore_does_what_its_preview_said(name: str) -> None:
    restored = {job["id"]: job_from_json(job) for job in given.truth(name)["restored"]}
    for one in preview(read_archive(given.path(name)), size=2).jobs:
        now = restored[one.job.id].status
        expected = {
            PredictedOutcome.HISTORY: {one.job.status},
            PredictedOutcome.STARTS: {"COMPLETED"},
            PredictedOutcome.ROOM: {"COMPLETED"},  # the account was taken when room was found
            PredictedOutcome.HELD: {"SCHED"},
            PredictedOutcome.WAITS: {"DEPEND", "COMPLETED"},
            PredictedOutcome.FAILED: {"FAILED"},
        }
        assert now in expected[one.fate], one


@pytest.mark.parametrize("name", given.SMALL)
def test_the_account_of_a_restore_by_real_flux_is_balanced(name: str) -> None:
    saved = [one.job for one in read_archive(given.path(name)).jobs]
    found = account(saved, [job_from_json(job) for job in given.truth(name)["restored"]])
    assert found.balanced, found.explain()
    assert found.counts["refused"] == sum(job.state.running for job in saved)


def test_flux_in_recovery_mode_lists_running_jobs_as_failed_and_all_others_alike() -> None:
    recovery = {job["id"]: job for job in given.truth("running")["recovery"]}
    for one in read_archive(given.path("running")).jobs:
        expected = "FAILED" if one.job.state.running else one.job.status
        assert recovery[one.job.id]["status"] == expected


def test_jobs_survive_the_way_through_flux_json_and_back() -> None:
    for job in given.truth("mixed")["before"]:
        assert _differences(job_to_json(job_from_json(job)), job, set()) == {}


def test_an_uncompressed_copy_reads_the_same() -> None:
    packed = given.path("mixed").read_bytes()
    plain = read_archive(gzip.decompress(packed))
    assert [one.job for one in plain.jobs] == [
        one.job for one in read_archive(given.path("mixed")).jobs
    ]
