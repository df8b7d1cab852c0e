"""What the reader does with formats, layouts, details and long work."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import zlib
from pathlib import Path

import pytest

from fluxstate_tui.archive.compression import Format, Inflater
from fluxstate_tui.archive.container import Entry, iter_entries
from fluxstate_tui.archive.findings import Kind
from fluxstate_tui.archive.progress import ReadingCancelledError
from fluxstate_tui.archive.reader import Archive, read_archive
from fluxstate_tui.archive.writer import write_archive
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.eventlog import Event
from tests.unit.archive import given


def _names(archive: Archive) -> list[str]:
    return [one.job.name for one in archive.jobs]


@pytest.mark.parametrize("suffix", [".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip"])
def test_every_format_is_read_by_its_content(suffix: str) -> None:
    entries = list(iter_entries(given.path("mixed").read_bytes()))
    archive = read_archive(write_archive(entries, suffix))
    original = read_archive(given.path("mixed"))
    assert archive.findings == ()
    assert [one.job for one in archive.jobs] == [one.job for one in original.jobs]
    assert archive.jobs[0].output() == original.jobs[0].output()


def test_one_tar_in_several_gzip_members_is_one_archive() -> None:
    plain = gzip.decompress(given.path("mixed").read_bytes())
    cut = len(plain) // 3
    joined = gzip.compress(plain[:cut]) + gzip.compress(plain[cut:])
    assert len(read_archive(joined).jobs) == 36
    assert read_archive(joined).findings == ()


def test_of_two_joined_archives_only_the_first_is_shown_as_flux_restores_only_that() -> None:
    joined = given.path("pending").read_bytes() + given.path("mixed").read_bytes()
    archive = read_archive(joined)
    assert len(archive.jobs) == 11
    assert "a second archive" in archive.findings[0].message
    assert not archive.complete


@pytest.mark.parametrize(
    ("data", "word"),
    [(b"070701" + b"0" * 200, "cpio"), (bytes(32769) + b"CD001" + bytes(100), "ISO")],
)
def test_cpio_and_iso_get_a_clear_message(data: bytes, word: str) -> None:
    finding = read_archive(data).findings[0]
    assert finding.kind is Kind.NOT_AN_ARCHIVE
    assert word in finding.message


def test_details_are_read_again_wherever_the_files_lie() -> None:
    for job in read_archive(given.path("mixed")).jobs:
        assert job.eventlog[0].name == "submit"
        assert job.jobspec["version"] == 1
        assert (job.R is None) == (job.job.t_run is None)


def test_output_and_execution_log_of_a_finished_job_are_there() -> None:
    archive = read_archive(given.path("mixed"))
    job = next(one for one in archive.jobs if one.job.name == "ok-unicode")
    assert "grüße, 世界 🚀\n" in [piece.text for piece in job.output()]
    assert job.exec_log[-1].name == "done"


def test_a_job_that_ran_at_the_dump_has_no_output() -> None:
    archive = read_archive(given.path("running"))
    assert [one.output() for one in archive.jobs if one.job.state.running] == [[]] * 5


def test_details_far_into_a_large_archive_come_from_a_point_on_the_way() -> None:
    archive = read_archive(given.path("big-10k"))
    for one in (archive.jobs[0], archive.jobs[5000], archive.jobs[-1]):
        assert one.eventlog[0].timestamp == one.job.t_submit
        assert one.jobspec["attributes"]["system"]["job"]["name"] == one.job.name


def test_details_behind_many_megabytes_that_do_not_shrink_are_found_again() -> None:
    noise = [Entry(f"noise/{at}", random.Random(at).randbytes(6 << 20)) for at in range(3)]
    entries = [*noise, *given.job_entries(7, given.finished())]
    data = zlib.compress(given.archive(*entries, suffix=".tar"), 1, wbits=31)
    archive = read_archive(data)
    assert archive.jobs[0].eventlog[0].timestamp == archive.jobs[0].job.t_submit


def test_the_signed_jobspec_with_the_users_environment_is_nowhere() -> None:
    archive = read_archive(given.archive(*given.job_entries(7, given.finished())))
    job = archive.jobs[0]
    assert "hunter2" not in repr((job.jobspec, job.eventlog, job.R, job.output()))
    assert sorted(job._details.files(7)) == ["R", "eventlog", "jobspec"]


def test_a_jobs_files_may_come_in_any_order_and_far_apart() -> None:
    first = given.job_entries(1, given.finished())
    second = given.job_entries(2, given.pending())
    mixed = [
        entry for pair in zip(reversed(first), reversed(second), strict=False) for entry in pair
    ]
    archive = read_archive(given.archive(*mixed, first[0]))
    assert [one.job.status for one in archive.jobs] == ["COMPLETED", "SCHED"]
    assert len(archive.jobs[0].eventlog) == 10


def test_queues_come_from_the_checkpoint() -> None:
    checkpoint = {
        "version": 1,
        "max_jobid": 99,
        "queue": [{"name": "batch", "enable": False, "start": True, "disable_reason": "full"}],
    }
    entry = Entry("checkpoint/job-manager", json.dumps(checkpoint).encode())
    archive = read_archive(given.archive(entry))
    assert archive.max_jobid == 99
    assert archive.queues is not None
    assert archive.queues[0].name == "batch"
    assert not archive.queues[0].enabled
    assert read_archive(given.archive()).queues is None


def test_updates_of_a_job_are_applied() -> None:
    events = given.finished()
    events.insert(4, Event(given.T0 + 3.6, "jobspec-update", {"attributes.system.duration": 60.0}))
    events.insert(5, Event(given.T0 + 3.7, "priority", {"priority": 16}))
    events.insert(7, Event(given.T0 + 5.0, "resource-update", {"expiration": given.T0 + 99}))
    job = read_archive(given.archive(*given.job_entries(1, events))).jobs[0].job
    assert (job.duration, job.expiration) == (60.0, given.T0 + 99)
    assert job.status == "COMPLETED"


def test_progress_is_told_and_reaches_the_end() -> None:
    told: list[tuple[int, int]] = []
    archive = read_archive(given.path("big-10k"), progress=lambda *now: told.append(now))
    assert told == sorted(told)
    assert told[-1] == (archive.size, archive.size)
    assert len(told) > 5


def test_reading_can_be_cancelled() -> None:
    told: list[int] = []
    with pytest.raises(ReadingCancelledError):
        read_archive(
            given.path("big-10k"),
            progress=lambda done, total: told.append(done),
            cancelled=lambda: len(told) > 2,
        )


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FluxstateError, match="not a file"):
        read_archive(tmp_path)
    with pytest.raises(FluxstateError, match="cannot be read"):
        read_archive(tmp_path / "nothing")


def test_a_file_may_be_replaced_after_it_was_read(tmp_path: Path) -> None:
    copy = tmp_path / "a.tar.gz"
    copy.write_bytes(given.path("mixed").read_bytes())
    archive = read_archive(copy)
    copy.write_bytes(b"something else")
    assert archive.jobs[0].eventlog


def test_inflating_goes_on_from_a_point_as_it_did_the_first_time() -> None:
    data = given.path("big-10k").read_bytes()
    blocks = [data[at : at + 65536] for at in range(0, len(data), 65536)]
    inflater = Inflater(Format.GZIP, points=True)
    chunks = inflater.chunks(blocks)
    for _ in range(40):
        next(chunks)
    point = inflater.snapshot()
    assert point is not None
    rest = hashlib.sha256(b"".join(chunks)).digest()
    again = b"".join(point.chunks([data[point.consumed :]]))
    assert hashlib.sha256(again).digest() == rest
