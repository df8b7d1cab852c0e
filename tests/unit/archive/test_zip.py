"""Zip files that were cut or damaged: what lies before the missing directory is still read."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as generated
from hypothesis import strategies as st

from fluxstate_tui.archive.container import Entry, iter_entries
from fluxstate_tui.archive.findings import Kind
from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.archive.verify import verify
from fluxstate_tui.archive.writer import write_archive
from tests.unit.archive import given

_UT = struct.pack("<2HBL", 0x5455, 5, 1, int(given.T0))


class _Pipe(io.BytesIO):
    """Where nobody can go back: sizes and checksum follow the data, as libarchive writes them."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


def _streamed(entries: Iterable[Entry], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", method) as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name)
            info.compress_type = method
            info.extra = _UT
            archive.writestr(info, entry.data)
    return pipe.getvalue()


def _members() -> list[Entry]:
    jobs = [entry for job in (1, 2, 3) for entry in given.job_entries(job, given.finished())]
    return [*given.instance(), *jobs]


def _directory(data: bytes) -> int:
    return data.index(b"PK\x01\x02")


@pytest.mark.parametrize("whole", [_streamed(_members()), write_archive(_members(), ".zip")])
def test_without_its_directory_a_zip_shows_all_jobs_and_is_truncated(whole: bytes) -> None:
    verdict = verify(whole[: _directory(whole)])
    assert (verdict.kind, verdict.place) == (Kind.TRUNCATED, "the end of the file")
    assert [one.job for one in verdict.archive.jobs] == [
        one.job for one in read_archive(whole).jobs
    ]
    assert not any(one.partial for one in verdict.archive.jobs)


def test_details_of_a_job_are_read_again_from_a_zip_without_a_directory() -> None:
    whole = _streamed(_members())
    job = read_archive(whole[: _directory(whole)]).job(2)
    assert job is not None
    assert job.eventlog == tuple(given.finished())
    assert job.jobspec == given.jobspec()


def test_a_zip_cut_in_a_member_names_it_and_shows_the_jobs_before() -> None:
    whole = _streamed(_members())
    cut = whole.index(b"job/0000/0000/0000/0003/eventlog") + 60
    verdict = verify(whole[:cut])
    assert verdict.kind is Kind.TRUNCATED
    assert verdict.place.startswith("job/0000/0000/0000/0003/eventlog (byte ")
    assert [one.job.id for one in verdict.archive.jobs] == [1, 2]


def test_wherever_a_zip_is_cut_jobs_are_only_those_of_the_whole() -> None:
    whole = _streamed(_members())
    jobs = {one.job.id: one.job for one in read_archive(whole).jobs}
    seen = 0
    for cut in range(1, len(whole), 97):
        verdict = verify(whole[:cut])
        assert not verdict.kind.good, cut
        assert len(verdict.archive.jobs) >= seen
        seen = len(verdict.archive.jobs)
        assert all(one.partial or one.job == jobs[one.job.id] for one in verdict.archive.jobs)
    assert seen == 3


def test_a_changed_byte_in_a_zip_without_a_directory_is_noticed() -> None:
    whole = bytearray(_streamed(_members(), zipfile.ZIP_STORED))
    cut = whole[: _directory(bytes(whole))]
    cut[cut.index(b'"userid":0')] ^= 1
    findings = verify(bytes(cut)).findings
    assert any("checksum" in one.message for one in findings) or findings[0].kind is Kind.DAMAGED


def test_a_zip_says_when_it_was_dumped() -> None:
    assert read_archive(_streamed(_members())).dumped_at == given.T0
    assert len(list(iter_entries(_streamed(_members())))) == len(_members())


def test_details_of_a_job_with_a_damaged_file_are_those_that_can_be_read() -> None:
    data = bytearray(_streamed(_members(), zipfile.ZIP_STORED))
    data[data.index(b'"userid":0')] ^= 1
    archive = read_archive(bytes(data))
    assert [one.job.id for one in archive.jobs] == [2, 3]
    (found,) = archive.findings[:1]
    assert found.place.endswith("0001/eventlog")
    data = bytearray(_streamed(_members(), zipfile.ZIP_STORED))
    data[data.index(b"SECRET")] ^= 1
    job = read_archive(bytes(data)).job(1)
    assert job is not None
    assert job.eventlog == tuple(given.finished())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@generated(
    st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(max_size=20)), min_size=1, max_size=5),
    st.booleans(),
    st.integers(1, 1 << 20),
)
def test_no_bytes_of_a_zip_end_in_a_crash(
    changes: list[tuple[int, bytes]], directory: bool, cut: int
) -> None:
    whole = _streamed(_members())
    data = bytearray(whole if directory else whole[: _directory(whole)])
    for at, piece in changes:
        at %= len(data)
        data[at : at + len(piece)] = piece
    verdict = verify(bytes(data if directory else data[: cut % len(data) + 1]))
    assert directory or not verdict.kind.good
    for one in verdict.archive.jobs:
        assert one.eventlog is not None
