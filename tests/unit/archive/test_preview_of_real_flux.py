"""Preview and real Flux agree, job by job, on every archive: given ones and generated ones."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluxstate_tui.archive.container import Entry
from fluxstate_tui.archive.preview import PredictedOutcome, RestorePreview, preview
from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.archive.writer import write_archive
from fluxstate_tui.flux import eventlog
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.flux.jobid import f58
from tests.unit.archive import given as made
from tests.unit.archive.given import make_r
from tests.unit.archive.real_start import FLUX, started

pytestmark = pytest.mark.skipif(FLUX is None, reason="needs flux-core: no flux on the PATH")

EXAMPLES = int(os.environ.get("FLUXSTATE_STARTS", "6"))
CORES = 4
UP = {
    PredictedOutcome.HISTORY: {"COMPLETED", "FAILED", "CANCELED", "TIMEOUT"},
    PredictedOutcome.STARTS: {"RUN"},
    PredictedOutcome.FAILED: {"FAILED"},
}
WAITING = {"DEPEND", "PRIORITY", "SCHED"}


def disagreements(found: RestorePreview, live: dict[int, Job]) -> list[str]:
    wrong = []
    for one in found.jobs:
        expected = UP.get(one.fate, WAITING)
        if one.fate is PredictedOutcome.NEVER_FITS and one.job.id in found.refused:
            expected = {"FAILED"}
        status = live[one.job.id].status
        if status not in expected:
            wrong.append(
                f"{f58(one.job.id)} {one.job.name}: {one.fate} ({one.reason}), is {status}"
            )
    return wrong


@pytest.mark.parametrize("name", ["begin-past", "chain", "purged-dep"])
def test_flux_does_with_the_small_archives_what_the_preview_says(name: str, tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "data" / "preview" / f"{name}.tar.gz"
    live = started(path.read_bytes(), tmp_path, size=2, cores=CORES)
    found = preview(read_archive(path), size=2, cores=CORES)
    for one in found.jobs:
        expected = UP.get(one.fate, WAITING)
        if one.fate is PredictedOutcome.STARTS:
            expected = {"RUN", "COMPLETED", "FAILED"}  # its program may not be there
        assert live[one.job.id].status in expected, one


def entries(number: int, job: dict[str, Any]) -> list[Entry]:
    """One generated job as flux-dump writes it."""
    slot: dict[str, Any] = {"type": "slot", "count": job["slots"], "label": "task"}
    slot["with"] = [{"type": "core", "count": job["cores"]}]
    resources = [slot]
    if job["nodes"]:
        resources = [{"type": "node", "count": job["nodes"], "with": [slot]}]
        if job["exclusive"]:
            resources[0]["exclusive"] = True
    system: dict[str, Any] = {"exec": {"test": {"run_duration": "1h"}}}
    if job["constraint"]:
        system["constraints"] = job["constraint"]
    state: JobState = job["state"]
    events = made.finished(made.T0 + number)
    events[0].context["urgency"] = job["urgency"]
    if job["depends"] and state is JobState.DEPEND:
        scheme, target = job["depends"]
        if scheme == "begin-time":
            system["dependencies"] = [{"scheme": scheme, "value": str(target)}]
            text = f"begin-time={target:.3f}"
        else:
            value = f58((target % number + 1 if target >= 0 else 77) << 24)
            system["dependencies"] = [{"scheme": scheme, "value": value}]
            text = f"{KINDS[scheme]}={value}"
        add = Event(made.T0 + number + 0.6, "dependency-add", {"description": text})
        events = [events[0], add, events[1]]
    else:
        length = {JobState.SCHED: 4, JobState.RUN: 6, JobState.CLEANUP: 7, JobState.INACTIVE: 10}
        events = events[: length.get(state, 4)]
        if state is not JobState.SCHED:
            del system["exec"]
    spec = made.jobspec(f"j{number}", **system)
    spec["resources"] = resources
    if state in (JobState.RUN, JobState.CLEANUP, JobState.INACTIVE):
        spec = made.jobspec(f"j{number}")
    return made.job_entries(number << 24, events, spec)


KINDS = {
    "afterok": "after-success",
    "afterany": "after-finish",
    "afternotok": "after-failure",
    "afterstart": "after-start",
    "afterexcept": "after-except",
}
CONSTRAINTS = [
    {"hostlist": ["n1"]},
    {"hostlist": ["n[2-9]"]},
    {"ranks": ["0"]},
    {"ranks": ["3"]},
    {"properties": ["gpu"]},
    {"properties": ["^gpu"]},
    {"not": [{"hostlist": ["n0"]}]},
    {"or": [{"hostlist": ["n7"]}, {"ranks": ["1"]}]},
    {"and": [{"hostlist": ["n0"]}, {"ranks": ["1"]}]},
]
DEPENDS = st.one_of(
    st.tuples(st.sampled_from(list(KINDS)), st.integers(-1, 20)),
    st.sampled_from([("begin-time", 1_700_000_000.0), ("begin-time", 4_000_000_000.0)]),
)
JOBS = st.fixed_dictionaries(
    {
        "state": st.sampled_from(
            [JobState.SCHED] * 4
            + [JobState.DEPEND] * 3
            + [JobState.RUN, JobState.INACTIVE, JobState.CLEANUP]
        ),
        "slots": st.sampled_from([1, 1, 1, 2, 3, 5]),
        "cores": st.sampled_from([1, 1, 2, 3, 5]),
        "nodes": st.sampled_from([0, 0, 0, 1, 2, 3]),
        "exclusive": st.booleans(),
        "urgency": st.sampled_from([16, 16, 16, 0, 8, 31]),
        "constraint": st.one_of(st.none(), st.none(), st.sampled_from(CONSTRAINTS)),
        "depends": DEPENDS,
    }
)


def archive_of(jobs: list[dict[str, Any]]) -> bytes:
    start = Event(made.T0, "start", {"version": 1, "core_version": "0.88.0"})
    members = [
        Entry("admin/eventlog", eventlog.encode([start]), mtime=int(made.T0)),
        Entry("resource/R", json.dumps(make_r(["n0", "n1"], CORES)).encode(), mtime=int(made.T0)),
    ]
    for number, job in enumerate(jobs, start=1):
        members += entries(number, job)
    return write_archive(members, ".tar.gz")


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=EXAMPLES == 6,
)
@given(jobs=st.lists(JOBS, min_size=4, max_size=14))
def test_flux_does_with_generated_archives_what_the_preview_says(
    jobs: list[dict[str, Any]],
) -> None:
    data = archive_of(jobs)
    with tempfile.TemporaryDirectory() as folder:
        live = started(data, Path(folder), size=2, cores=CORES)
    assert disagreements(preview(read_archive(data), size=2), live) == []


@settings(max_examples=max(2, EXAMPLES // 3), deadline=None, derandomize=EXAMPLES == 6)
@given(jobs=st.lists(JOBS, min_size=4, max_size=10))
def test_ranks_that_are_down_hold_up_what_is_behind_those_who_need_them(
    jobs: list[dict[str, Any]],
) -> None:
    data = archive_of(jobs)
    with tempfile.TemporaryDirectory() as folder:
        live = started(data, Path(folder), size=3, cores=CORES, up=1)
    assert disagreements(preview(read_archive(data), size=1, max_size=3), live) == []
