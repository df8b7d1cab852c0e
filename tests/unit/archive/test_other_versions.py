"""What older and newer flux-core write otherwise is no damage (seen in flux-core's history)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fluxstate_tui.archive.container import Entry
from fluxstate_tui.archive.findings import Kind
from fluxstate_tui.archive.reader import Archive, read_archive
from fluxstate_tui.archive.verify import verify
from fluxstate_tui.archive.writer import write_archive
from fluxstate_tui.flux import eventlog
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.job import JobResult, JobState
from fluxstate_tui.flux.queue import Queue
from tests.unit.archive import given

_FOLDER = "job/0000/0000/0000/0001"


def _one_job(**files: bytes) -> Archive:
    """An archive with one finished job, some of whose files are replaced."""
    entries = [
        Entry(one.name, files.get(one.name.rpartition("/")[2], one.data))
        for one in given.job_entries(1, given.finished())
    ]
    return read_archive(given.archive(*entries))


def test_jobs_from_before_0_41_have_no_validate_event() -> None:
    events = [event for event in given.finished() if event.name != "validate"]
    events[0] = Event(given.T0, "submit", {"userid": 5, "urgency": 16, "flags": 0})
    archive = _one_job(eventlog=eventlog.encode(events))
    assert archive.complete
    job = archive.jobs[0].job
    assert (job.state, job.result) == (JobState.INACTIVE, JobResult.COMPLETED)
    assert job.t_depend == given.T0


def test_a_submit_event_without_a_version_may_be_followed_by_validate() -> None:
    events = given.finished()
    events[0] = Event(given.T0, "submit", {"userid": 5, "urgency": 16, "flags": 0})
    archive = _one_job(eventlog=eventlog.encode(events))
    assert archive.complete
    assert archive.jobs[0].job.t_depend == events[1].timestamp


def test_environments_in_jobspecs_from_before_0_44_are_never_shown() -> None:
    spec = given.jobspec("x", environment={"TOKEN": "hunter2"})
    archive = _one_job(jobspec=json.dumps(spec).encode())
    assert archive.complete
    assert archive.jobs[0].job.name == "x"
    assert "hunter2" not in json.dumps(archive.jobs[0].jobspec)
    assert archive.jobs[0].jobspec["attributes"]["system"]["cwd"] == "/w"


@pytest.mark.parametrize(
    ("version", "written", "expected"),
    [
        # 0.44: only whether one may submit, the anonymous queue without a name
        ({}, {"enable": True}, Queue("", enabled=True, started=True)),
        (
            {},
            {"name": "a", "enable": False, "reason": "full"},
            Queue("a", enabled=False, started=True, disable_reason="full"),
        ),
        # 0.47 and later
        (
            {"version": 1},
            {"name": "a", "enable": True, "start": False, "stop_reason": "why"},
            Queue("a", enabled=True, started=False, stop_reason="why"),
        ),
        # what a later one may add
        (
            {"version": 1},
            {"name": "a", "enable": True, "start": True, "color": {"is": "red"}},
            Queue("a", enabled=True, started=True),
        ),
    ],
)
def test_queues_are_read_from_checkpoints_of_any_version(
    version: dict[str, int], written: dict[str, Any], expected: Queue
) -> None:
    checkpoint = json.dumps({"max_jobid": 7, "queue": [written], **version}).encode()
    archive = read_archive(given.archive(Entry("checkpoint/job-manager", checkpoint)))
    assert archive.complete
    assert (archive.max_jobid, archive.queues) == (7, (expected,))


def test_queues_of_a_checkpoint_that_flux_does_not_know_are_read_and_the_archive_is_damaged() -> (
    None
):
    queue = {"name": "a", "enable": True, "start": False}
    checkpoint = json.dumps({"max_jobid": 7, "queue": [queue], "version": 2}).encode()
    archive = read_archive(given.archive(Entry("checkpoint/job-manager", checkpoint)))
    assert archive.queues == (Queue("a", enabled=True, started=False),)
    assert not archive.complete


def test_a_checkpoint_without_queues_says_nothing_about_them() -> None:
    archive = read_archive(given.archive(Entry("checkpoint/job-manager", b'{"max_jobid":7}')))
    assert archive.complete
    assert (archive.max_jobid, archive.queues) == (7, None)


@pytest.mark.parametrize("name", ["resource/R", "resource/eventlog"])
def test_an_empty_instance_that_never_wrote_an_admin_eventlog_is_empty_not_foreign(
    name: str,
) -> None:
    written = {entry.name: entry.data for entry in given.instance()}
    written["resource/eventlog"] = b'{"timestamp":1.5,"name":"resource-define","context":{}}\n'
    verdict = verify(write_archive([Entry(name, written[name])], ".tar.gz"))
    assert verdict.kind is Kind.EMPTY


def test_an_r_of_a_later_version_with_the_parts_of_the_first_is_read() -> None:
    r = json.loads(
        next(
            one.data for one in given.job_entries(1, given.finished()) if one.name == f"{_FOLDER}/R"
        )
    )
    r["version"] = 2
    r["execution"]["sched"] = {"tree": [1, 2]}
    archive = _one_job(R=json.dumps(r).encode())
    assert archive.complete
    assert archive.jobs[0].job.nodelist == "n0"


def test_unknown_events_keys_and_files_are_no_damage() -> None:
    events = given.finished()
    events[3:3] = [
        Event(given.T0 + 3, "set-flags", {"flags": ["debug"]}),
        Event(given.T0 + 3, "debug.alloc-request", {}),
        Event(given.T0 + 3, "prolog-start", {"description": "cray-pals-port-distributor"}),
        Event(given.T0 + 3, "from-the-future", {"x": [1, {"y": None}]}),
    ]
    lines = [
        json.dumps({"timestamp": e.timestamp, "name": e.name, "context": e.context, "new": 1})
        for e in events
    ]
    job = [
        Entry(
            one.name,
            "\n".join([*lines, ""]).encode() if one.name.endswith("eventlog") else one.data,
        )
        for one in given.job_entries(1, events)
    ]
    others = (
        Entry("job-exec/kvs-namespaces", b"[]"),
        Entry("job-archive", b"1"),
        Entry(f"{_FOLDER}/guest", link="job-16777216::."),
        Entry(f"{_FOLDER}/from/the/future", b"\0\1"),
    )
    verdict = verify(given.archive(*job, *others))
    assert verdict.kind is Kind.COMPLETE
    assert verdict.archive.jobs[0].job.result is JobResult.COMPLETED
