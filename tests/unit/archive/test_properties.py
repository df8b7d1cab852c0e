"""Properties: what one writes the other reads, and no mutation makes a crash or a lie."""

from __future__ import annotations

import gzip
from functools import cache

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluxstate_tui.archive import render
from fluxstate_tui.archive.container import Entry, iter_entries
from fluxstate_tui.archive.findings import BrokenArchiveError
from fluxstate_tui.archive.preview import preview
from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.archive.render import jobs_json
from fluxstate_tui.archive.verify import verify
from fluxstate_tui.archive.writer import write_archive
from fluxstate_tui.flux import eventlog
from fluxstate_tui.flux.eventlog import Event
from tests.unit.archive import given as made

_SUFFIXES = st.sampled_from([".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz"])
_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=140)
_ENTRIES = st.lists(
    st.builds(Entry, _NAMES, st.binary(max_size=1500), st.none(), st.integers(0, 2**33 - 1))
    | st.builds(Entry, _NAMES, st.just(b""), _NAMES, st.integers(0, 2**33 - 1)),
    max_size=8,
)
_EVENT = st.builds(
    Event,
    st.floats(1e9, 2e9),
    st.sampled_from([event.name for event in made.finished()] + ["urgency", "memo", "odd"]),
    st.sampled_from(
        [{}, {"userid": 1, "urgency": 2}, {"priority": 9}, {"status": 256}, {"x": "é"}]
    ),
)
_SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@cache
def _given(name: str) -> bytes:
    return made.path(name).read_bytes()


@cache
def _plain(name: str) -> bytes:
    return gzip.decompress(_given(name))


@_SLOW
@given(_ENTRIES, _SUFFIXES)
def test_what_is_written_is_read_back_equal(entries: list[Entry], suffix: str) -> None:
    assert list(iter_entries(write_archive(entries, suffix))) == entries


@_SLOW
@given(st.lists(st.lists(_EVENT, max_size=12), max_size=4), _SUFFIXES)
def test_any_eventlog_gives_a_job_and_its_events_back(logs: list[list[Event]], suffix: str) -> None:
    entries = [one for number, log in enumerate(logs) for one in made.job_entries(number, log)]
    archive = read_archive(made.archive(*entries, suffix=suffix))
    kept = {one.job.id: one.eventlog for one in archive.jobs}
    assert kept == {number: tuple(log) for number, log in enumerate(logs)}


@_SLOW
@given(
    st.sampled_from(["mixed", "running", "old-0.66"]),
    st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(1, 255)), min_size=1, max_size=6),
)
def test_changed_bytes_of_a_packed_archive_are_never_complete_and_wrong(
    name: str, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(_given(name))
    for at, mask in changes:
        data[at % len(data)] ^= mask
    verdict = verify(bytes(data))
    if verdict.kind.good:
        jobs = [one.job for one in read_archive(_given(name)).jobs]
        assert [one.job for one in verdict.archive.jobs] == jobs


@_SLOW
@given(
    st.sampled_from(["mixed", "running", "pending"]),
    st.lists(st.tuples(st.integers(0, 1 << 30), st.binary(max_size=40)), min_size=1, max_size=6),
    st.integers(0, 1 << 30),
)
def test_changed_plain_archives_never_crash_anything(
    name: str, changes: list[tuple[int, bytes]], cut: int
) -> None:
    data = bytearray(_plain(name))
    for at, piece in changes:
        at %= len(data)
        data[at : at + len(piece)] = piece
    _use_everything(bytes(data[: max(1, cut % (2 * len(data)))]))


@_SLOW
@given(st.binary(max_size=3000))
def test_any_bytes_give_a_verdict(data: bytes) -> None:
    _use_everything(data)


@_SLOW
@given(st.binary(max_size=300), st.sampled_from(["eventlog", "jobspec", "R", "guest/output"]))
def test_any_bytes_in_a_jobs_file_give_a_verdict(data: bytes, name: str) -> None:
    folder = "job/0000/0000/0000/0001"
    job = [entry for entry in made.job_entries(1, made.finished()) if not entry.name.endswith(name)]
    _use_everything(made.archive(*job, Entry(f"{folder}/{name}", data)))


@_SLOW
@given(st.text(max_size=60))
def test_no_text_of_a_job_reaches_the_terminal_raw(text: str) -> None:
    data = eventlog.encode(
        [Event(made.T0, "data", {"stream": "stdout", "rank": "0", "data": text})]
    )
    job = made.job_entries(1, made.finished(), made.jobspec(text, cwd=text, queue=text))
    output = Entry("job/0000/0000/0000/0001/guest/output", data)
    _use_everything(made.archive(*job, output))


def _use_everything(data: bytes) -> None:
    """Whatever the bytes are: a verdict, renderings that a terminal shows, and details."""
    verdict = verify(data)
    archive = verdict.archive
    lines = [*render.verdict_text(verdict), *render.summary(archive), *render.problems(archive)]
    lines += render.jobs_table(archive, archive.jobs)
    lines += render.preview_text(preview(archive, size=1, uid=5))
    for one in archive.jobs[:3]:
        lines += render.job_text(archive, one)
        lines += "".join(render.output_text(one)).replace("\t", " ").split("\n")
    assert all(line.isprintable() for line in lines)
    "".join(jobs_json(archive, archive.jobs, output=True)).encode("ascii")
    try:
        list(iter_entries(data))
    except BrokenArchiveError as error:
        assert error.message
