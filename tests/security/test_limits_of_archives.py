"""An archive that says more than anybody could keep: what was left out is said."""

from __future__ import annotations

import pytest

from fluxstate_tui.archive import builder, reader
from fluxstate_tui.archive.container import Entry
from fluxstate_tui.archive.findings import Kind
from fluxstate_tui.archive.reader import Archive, read_archive
from fluxstate_tui.flux.eventlog import Event
from tests.unit.archive import given


def job(number: int, *events: Event, name: str = "job") -> list[Entry]:
    found = [*given.pending(), *events]
    return given.job_entries(number << 24, found, given.jobspec(name))


def files(number: int, end: str) -> list[Entry]:
    return [entry for entry in job(number) if entry.name.endswith(end)]


def said(archive: Archive) -> list[str]:
    return [str(finding) for finding in archive.findings if finding.kind is Kind.HOSTILE]


def test_jobs_whose_files_lie_apart_are_kept_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_APART", 100_000)
    apart = [
        entry for end in ("jobspec", "eventlog") for n in range(1, 500) for entry in files(n, end)
    ]
    archive = read_archive(given.archive(*apart))
    left = 499 - len(archive.jobs)
    assert 100 < left < 450
    assert said(archive) == [
        f"{left} jobs not read: their files lie apart, over 100,000 bytes of them"
    ]
    assert not archive.refused


def test_files_in_any_order_are_read_within_the_limit() -> None:
    apart = [
        entry for end in ("jobspec", "eventlog") for n in range(1, 500) for entry in files(n, end)
    ]
    archive = read_archive(given.archive(*apart))
    assert (len(archive.jobs), archive.findings) == (499, ())


def test_many_small_pieces_of_one_job_are_no_other_ones_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reader, "MOST_APART", 5_000)
    whole = [entry for n in range(100, 300) for entry in job(n)]
    one_by_one = [
        entry for end in ("jobspec", "eventlog") for n in range(1, 3) for entry in files(n, end)
    ]
    archive = read_archive(given.archive(*one_by_one, *whole))
    assert (len(archive.jobs), archive.findings) == (202, ())


def test_there_are_not_more_jobs_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_JOBS", 10)
    archive = read_archive(given.archive(*[entry for n in range(1, 13) for entry in job(n)]))
    assert len(archive.jobs) == 10
    assert said(archive) == ["2 jobs not read: it has more than 10"]


@pytest.mark.parametrize("what", ["a name", "annotations"])
def test_what_jobs_say_is_kept_up_to_a_limit(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(builder, "MOST_KEPT", 100_000)
    long = "x" * 20_000
    memo = Event(given.T0 + 5, "memo", {"note": long})
    jobs = [
        entry
        for n in range(1, 10)
        for entry in (job(n, name=f"{n}{long}") if what == "a name" else job(n, memo))
    ]
    archive = read_archive(given.archive(*jobs))
    assert len(archive.jobs) == 9
    kept = [one for one in archive.jobs if long in f"{one.job.name} {one.job.annotations}"]
    assert len(kept) == 4
    assert "its texts were left out" in said(archive)[0]


def test_many_alike_cost_no_more_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "MOST_KEPT", 20_000)
    memo = Event(given.T0 + 5, "memo", {"note": "x" * 5_000})
    jobs = [entry for n in range(1, 100) for entry in job(n, memo)]
    assert read_archive(given.archive(*jobs)).complete


def test_a_bad_archive_costs_the_others_nothing() -> None:
    deep = Entry("job/0000/0000/0100/0000/jobspec", b"[" * 1_000_000)
    assert not read_archive(given.archive(deep)).complete
    assert read_archive(given.path("mixed").read_bytes()).complete
