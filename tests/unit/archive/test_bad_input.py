"""Broken and hostile archives get a verdict with a place. Never a crash, never a lie."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
import zlib

import pytest

from fluxstate_tui.archive.container import Entry
from fluxstate_tui.archive.findings import Kind
from fluxstate_tui.archive.verify import Verdict, verify
from fluxstate_tui.archive.writer import tar_member, write_archive
from fluxstate_tui.errors import ExitCode
from fluxstate_tui.flux import eventlog
from fluxstate_tui.flux.eventlog import Event
from tests.unit.archive import given

_FOLDER = "job/0000/0000/0000/0007"


def _broken_job(**files: bytes | None) -> Verdict:
    """The verdict on an archive with one good job and one whose files are replaced (or missing)."""
    entries = []
    for entry in given.job_entries(7, given.finished()):
        data = files.get(entry.name.rpartition("/")[2], entry.data)
        if data is not None:
            entries.append(Entry(entry.name, data))
    return verify(given.archive(*given.job_entries(1, given.finished()), *entries))


def test_zero_bytes_are_not_an_empty_queue() -> None:
    verdict = verify(b"")
    assert (verdict.kind, verdict.level) == (Kind.ZERO_BYTES, "")
    assert verdict.exit_code is ExitCode.VERIFICATION


def test_an_archive_without_jobs_is_called_empty() -> None:
    verdict = verify(given.path("empty"))
    assert verdict.kind is Kind.EMPTY
    assert "0 jobs" in verdict.sentence()
    assert verdict.exit_code is ExitCode.OK


def test_a_whole_archive_is_complete_at_level_2() -> None:
    verdict = verify(given.path("mixed"))
    assert (verdict.kind, verdict.level) == (Kind.COMPLETE, "L2")
    assert verdict.counts["FAILED"] == 10


def test_a_truncated_archive_is_never_called_empty_and_shows_what_can_be_read() -> None:
    verdict = verify(given.path("truncated"))
    assert verdict.kind is Kind.TRUNCATED
    assert verdict.place == "byte 10743 of the file"
    assert len(verdict.archive.jobs) == 26
    assert verdict.exit_code is ExitCode.VERIFICATION


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip"])
def test_wherever_an_archive_is_cut_it_is_never_complete(suffix: str) -> None:
    data = given.archive(*given.job_entries(1, given.finished()), suffix=suffix)
    end = len(data.rstrip(b"\x00")) if suffix == ".tar" else len(data)
    for cut in range(0, end - 1, max(1, end // 97)):
        assert not verify(data[:cut]).kind.good, cut


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz"])
def test_no_flipped_bit_goes_unnoticed_in_compressed_data(suffix: str) -> None:
    data = given.archive(*given.job_entries(1, given.finished()), suffix=suffix)
    jobs = [one.job for one in verify(data).archive.jobs]
    header = 10 if suffix == ".tar.gz" else 0
    for at in range(header, len(data), max(1, len(data) // 61)):
        flipped = bytearray(data)
        flipped[at] ^= 1 << (at % 8)
        verdict = verify(bytes(flipped))
        assert not verdict.kind.good or [one.job for one in verdict.archive.jobs] == jobs, at


@pytest.mark.parametrize(
    "data", [b"\x00" * 5, b"hello", b"\x1f\x8b", b"PK\x03\x04", bytes(range(256)) * 9]
)
def test_garbage_is_not_an_archive_or_damaged(data: bytes) -> None:
    assert not verify(data).kind.good


def test_text_in_gzip_is_not_an_archive() -> None:
    assert not verify(gzip.compress(b"hello world\n" * 500)).kind.good


def test_a_tar_of_something_else_is_not_an_archive_of_flux() -> None:
    verdict = verify(write_archive([Entry("etc/passwd", b"root")], ".tar.gz"))
    assert verdict.kind is Kind.NOT_AN_ARCHIVE
    assert verdict.exit_code is ExitCode.FAILURE


@pytest.mark.parametrize(
    "name", ["../../etc/cron.d/x", "/etc/passwd", "job/../../x", "evil\x1b[2Jname", "", "a\nb"]
)
def test_names_that_lead_out_or_lie_are_hostile(name: str) -> None:
    verdict = verify(given.archive(Entry(name, b"x")))
    assert verdict.kind is Kind.HOSTILE
    assert verdict.exit_code is ExitCode.VERIFICATION


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../etc/passwd"])
def test_links_out_of_the_archive_are_hostile(target: str) -> None:
    assert verify(given.archive(Entry("link", link=target))).kind is Kind.HOSTILE


def test_the_symlink_of_a_running_job_is_not_hostile() -> None:
    assert verify(given.path("running")).kind is Kind.COMPLETE


@pytest.mark.parametrize(
    "kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.LNKTYPE]
)
def test_devices_fifos_and_hard_links_are_hostile(kind: bytes) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("thing")
        info.type = kind
        info.linkname = "other"
        archive.addfile(info)
    assert verify(buffer.getvalue()).kind is Kind.HOSTILE


def test_sparse_members_are_hostile() -> None:
    pax = b"22 GNU.sparse.major=1\n"
    info = tarfile.TarInfo("PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, len(pax)
    data = info.tobuf(tarfile.USTAR_FORMAT) + pax.ljust(512, b"\x00")
    assert verify(data + tar_member(Entry("sparse", b"x")) + bytes(1024)).kind is Kind.HOSTILE


def test_a_bomb_is_stopped() -> None:
    packer = zlib.compressobj(1, wbits=31)
    header = tarfile.TarInfo("bomb")
    header.size = 100 << 30
    start = packer.compress(header.tobuf(tarfile.GNU_FORMAT)) + packer.flush(zlib.Z_FULL_FLUSH)
    zeros = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    verdict = verify(start + zeros * 40)
    assert verdict.kind is Kind.HOSTILE
    assert "bomb" in verdict.message


def test_a_bomb_in_a_zip_is_stopped() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("zeros", bytes(1 << 20))
    lying = buffer.getvalue().replace(struct.pack("<L", 1 << 20), struct.pack("<L", 1 << 31))
    assert verify(lying).kind is Kind.HOSTILE


def test_a_hundred_thousand_empty_members_are_counted_not_kept() -> None:
    member = tar_member(Entry("x/y"))
    data = b"".join(map(tar_member, given.instance())) + member * 100_000 + bytes(1024)
    verdict = verify(zlib.compress(data, 1, wbits=31))
    assert verdict.archive.entries == 100_002
    assert verdict.kind is Kind.EMPTY


def test_a_member_that_claims_to_be_huge_costs_nothing() -> None:
    info = tarfile.TarInfo(f"{_FOLDER}/eventlog")
    info.size = 1 << 40
    verdict = verify(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    assert verdict.kind is Kind.TRUNCATED


@pytest.mark.parametrize("size", [b"-0000001000", b"+0000001000", b"0000_001000"])
def test_a_size_that_is_no_octal_number_never_leads_backwards(size: bytes) -> None:
    good = b"".join(map(tar_member, given.job_entries(1, given.finished())))
    header = bytearray(tar_member(Entry(f"{_FOLDER}/eventlog", b"x" * 512))[:512])
    header[124:135] = size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    verdict = verify(good + bytes(header) + good + bytes(1024))
    assert not verdict.kind.good
    assert len(verdict.archive.jobs) == 1


@pytest.mark.parametrize(
    ("name", "data", "place"),
    [
        ("eventlog", None, "job ƒ8"),
        ("jobspec", None, "job ƒ8"),
        ("R", None, "job ƒ8, R"),
        ("eventlog", b"", "job ƒ8, eventlog"),
        ("eventlog", b"\xff\xfe\n", "job ƒ8, eventlog line 1"),
        ("eventlog", b"{}\n", "job ƒ8, eventlog line 1"),
        ("eventlog", b'{"timestamp":"x","name":"submit"}\n', "job ƒ8, eventlog line 1"),
        ("eventlog", b'{"timestamp":NaN,"name":"submit"}\n', "job ƒ8, eventlog line 1"),
        ("eventlog", b'{"timestamp":1e300,"name":"submit"}\n', "job ƒ8, eventlog line 1"),
        ("eventlog", b"[" * 100_000 + b"\n", "job ƒ8, eventlog line 1"),
        ("jobspec", b"{", "job ƒ8, jobspec"),
        ("jobspec", b"[]", "job ƒ8, jobspec"),
        ("R", b'{"version":1}', "job ƒ8, R"),
        ("R", b'{"version":1,"execution":{"R_lite":[{"rank":"9-1"}]}}', "job ƒ8, R"),
    ],
)
def test_a_broken_file_of_a_job_is_named_and_other_jobs_are_shown(
    name: str, data: bytes | None, place: str
) -> None:
    verdict = _broken_job(**{name: data})
    assert verdict.kind is Kind.DAMAGED
    assert verdict.place == place
    assert verdict.archive.jobs[0].job.status == "COMPLETED"
    assert not verdict.archive.jobs[0].partial
    assert all(one.partial for one in verdict.archive.jobs[1:])


@pytest.mark.parametrize(
    "event",
    [
        Event(given.T0, "submit", {"userid": 1 << 40, "urgency": 16}),
        Event(given.T0, "submit", {"userid": 0, "urgency": 99}),
        Event(given.T0, "submit", {"userid": 0, "urgency": "high"}),
        Event(given.T0, "submit", {}),
    ],
)
def test_numbers_out_of_range_are_noticed(event: Event) -> None:
    log = eventlog.encode([event, *given.finished()[1:]])
    verdict = _broken_job(eventlog=log)
    assert (verdict.kind, verdict.place) == (Kind.DAMAGED, "job ƒ8, eventlog line 1")


def test_events_out_of_order_are_noticed() -> None:
    events = given.finished()
    events[1], events[4] = events[4], events[1]
    verdict = _broken_job(eventlog=eventlog.encode(events))
    assert (verdict.kind, verdict.place) == (Kind.DAMAGED, "job ƒ8, eventlog line 2")


def test_events_of_unknown_kind_are_no_damage_as_plugins_may_post_any() -> None:
    events = [*given.finished()[:2], Event(given.T0 + 2, "plugin.said", {"x": [1]})]
    log = eventlog.encode([*events, *given.finished()[2:]])
    assert _broken_job(eventlog=log).kind is Kind.COMPLETE


def test_a_cut_last_line_is_noticed() -> None:
    log = eventlog.encode(given.finished())[:-7]
    assert _broken_job(eventlog=log).kind is Kind.DAMAGED


def test_a_member_that_is_there_twice_is_noticed() -> None:
    job = given.job_entries(7, given.finished())
    verdict = verify(given.archive(*job, *job))
    assert verdict.kind is Kind.DAMAGED
    assert "twice" in verdict.message
    assert len(verdict.archive.jobs) == 1


def test_broken_output_is_noticed_by_verify() -> None:
    job = given.job_entries(7, given.finished())
    verdict = verify(given.archive(*job, Entry(f"{_FOLDER}/guest/output", b"{}\n")))
    assert (verdict.kind, verdict.place) == (Kind.DAMAGED, f"{_FOLDER}/guest/output")


def test_a_thousand_broken_jobs_give_a_hundred_findings_and_a_number() -> None:
    entries = [Entry(f"job/0000/0000/0000/{number:04x}/J", b"") for number in range(1000)]
    findings = verify(given.archive(*entries)).findings
    assert len(findings) == 101
    assert "more problems" in findings[-1].message


def test_a_checksum_that_is_not_the_manifests_is_damage() -> None:
    from fluxstate_tui.archive.manifest import Part

    part = Part("queue", "x.tar.gz", 1, "0" * 64)
    verdict = verify(given.path("mixed"), expected=part)
    assert (verdict.kind, verdict.level) == (Kind.DAMAGED, "L0")
