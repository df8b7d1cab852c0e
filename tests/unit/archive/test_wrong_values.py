"""Well-formed JSON with values that make no sense, anywhere in an archive: shown, never a crash."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluxstate_tui.archive import render, timeline
from fluxstate_tui.archive.compare import account, diff
from fluxstate_tui.archive.container import Entry, iter_entries
from fluxstate_tui.archive.preview import preview
from fluxstate_tui.archive.reader import Archive, read_archive
from fluxstate_tui.archive.render import jobs_json
from fluxstate_tui.archive.timeline import occupancy
from fluxstate_tui.archive.verify import verify
from fluxstate_tui.archive.writer import write_archive
from fluxstate_tui.flux.job_json import job_from_json, job_to_json
from tests.unit.archive import given as made

_NUMBERS = [True, 0, -1, 0.1, -1e9, 1e308, 2**63, 2**64, 10**30]
_TEXTS = ["", "\x1b[2J", "ƒ", "\ud800", "0-4294967295", "n[0-9999999]", "1,2-"]
_OTHERS: list[Any] = [None, [], {}, [[]], {"": None}, {"min": 1, "max": 2}, ["n0", 3]]
_ODD = st.sampled_from([*_NUMBERS, *_TEXTS, *_OTHERS])


@cache
def _entries() -> tuple[Entry, ...]:
    return tuple(
        entry
        for entry in iter_entries(made.path("mixed").read_bytes())
        if not entry.name.endswith("/J")
    )


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [path]
    if isinstance(value, dict):
        for key in value:
            found += _places(value[key], (*path, key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            found += _places(one, (*path, index))
    return found


def _changed(data: bytes, where: int, value: Any) -> bytes:
    """One value of a JSON text, or of one line of an eventlog, is another."""
    lines = [json.loads(line) for line in data.splitlines()]
    places = [(number, *path) for number, line in enumerate(lines) for path in _places(line)]
    path = places[where % len(places)]
    target: Any = lines
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.integers(0, 1 << 20), st.integers(0, 1 << 20), _ODD), min_size=1, max_size=40
    )
)
def test_wrong_values_anywhere_are_told_and_shown_as_text(
    changes: list[tuple[int, int, Any]],
) -> None:
    entries = list(_entries())
    for which, where, value in changes:
        at = which % len(entries)
        if entries[at].link is None:
            changed = _changed(entries[at].data, where, value)
            entries[at] = Entry(entries[at].name, changed, mtime=entries[at].mtime)
    _use(write_archive(entries, ".tar"))


def _use(data: bytes) -> None:
    verdict = verify(data)
    archive = verdict.archive
    lines = [*render.verdict_text(verdict), *render.summary(archive), *render.problems(archive)]
    lines += render.jobs_table(archive, archive.jobs)
    for size in (1, 5):
        lines += render.preview_text(preview(archive, size=size, uid=size))
    for one in archive.jobs:
        lines += render.job_text(archive, one)
        lines += "".join(render.output_text(one)).replace("\t", " ").split("\n")
        assert one.exec_log is not None
    assert all(line.isprintable() for line in lines)
    _compare(archive)


def _compare(archive: Archive) -> None:
    jobs = [one.job for one in archive.jobs]
    whole = [one.job for one in read_archive(made.path("mixed")).jobs]
    json.loads("".join(jobs_json(archive, archive.jobs, output=True)))
    json.loads(render.diff_json(diff(whole, jobs)))
    assert "saved" in account(jobs, whole).explain()
    begin, end = timeline.span(jobs, archive.dumped_at) or (0.0, 0.0)
    occupancy(timeline.gantt(jobs), begin, max(begin, end))
    for job in jobs:
        json.dumps(job_to_json(job, archive.dumped_at))
        job_from_json(job_to_json(job))
