"""The quick way from an eventlog to a job tells the same as the fold, event by event."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fluxstate_tui.archive.builder import EventlogTemplates, JobFolder
from fluxstate_tui.archive.findings import Findings
from fluxstate_tui.flux import eventlog
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.job import Job, JobException, JobResult, JobState
from fluxstate_tui.flux.reducer import JobBuilder
from fluxstate_tui.flux.resources import ResourceSet, Share, make_alloc
from tests.unit.archive import given as made

_SPEC = made.jobspec("one", nodes=2, queue="q", project="p", duration=3.5, bank="b")
_SPEC["tasks"][0]["count"] = {"total": 5}
_SUMMARY = {"annotations": {"sched": {"resource_summary": "rank0/core0"}}}
_TYPES = st.sampled_from(["cancel", "timeout", "exec"])
_BETWEEN = st.one_of(
    st.builds(lambda n: ("urgency", {"urgency": n, "userid": 0}), st.integers(0, 31)),
    st.builds(lambda n: ("priority", {"priority": n}), st.integers(0, 1 << 32)),
    st.builds(lambda n: ("finish", {"status": n}), st.sampled_from([0, 9, 256, 1 << 40])),
    st.builds(
        lambda kind, severity: ("exception", {"type": kind, "severity": severity, "note": "{é"}),
        _TYPES,
        st.integers(0, 7),
    ),
    st.sampled_from(
        [
            ("alloc", _SUMMARY),
            ("flux-restart", {}),
            ("memo", {"uri": "ssh://a", "timestamp": 5.5}),
            ("memo", {"uri": None}),
            ("dependency-add", {"description": "after-success=ƒ8"}),
            ("dependency-remove", {"description": "after-success=ƒ8"}),
            ("jobspec-update", {"attributes.system.duration": 7.5}),
            ("resource-update", {"expiration": 9.5}),
            ("something-new", {"timestamp": 3.5}),
            ("submit", {"userid": 7, "urgency": 1}),
        ]
    ),
)


@st.composite
def _eventlogs(draw: st.DrawFn) -> bytes:
    """A usual life, cut anywhere, with unusual events in between, at any times."""
    steps: list[tuple[str, dict[str, Any]]] = [
        (event.name, event.context) for event in made.finished()
    ]
    del steps[draw(st.integers(1, len(steps))) :]
    for position, extra in draw(st.lists(st.tuples(st.integers(0, 12), _BETWEEN), max_size=4)):
        steps.insert(position, extra)
    times = st.floats(0, 99e9, allow_subnormal=False) | st.floats(1.7e9, 1.8e9)
    return eventlog.encode(Event(draw(times), name, context) for name, context in steps)


def _r(expiration: float) -> bytes:
    shares = [Share(0, "n0", (0, 1)), Share(1, "n1", (0,))]
    return json.dumps(make_alloc(shares, starttime=made.T0, expiration=expiration)).encode()


def _told(log: bytes, r: bytes) -> Job:
    """The job as the fold tells it, line by line."""
    draft = JobBuilder(7)
    draft.use_jobspec(_SPEC)
    for line in log.split(b"\n"):
        try:
            event = eventlog.parse_line(line)
            if event.name == "alloc":
                draft.use_resources(ResourceSet.parse(json.loads(r)))
            draft.apply(event)
        except ValueError:
            continue
    return draft.freeze()


# One for all examples, so that what it remembers of one is used for the next.
_FOLDER = JobFolder(Findings())


@settings(max_examples=300, deadline=None)
@given(_eventlogs(), st.sampled_from([0.0, 5.5, 1795296000.25, 1e12]))
def test_a_job_is_the_same_with_and_without_its_course(log: bytes, expiration: float) -> None:
    r = _r(expiration)
    assert _FOLDER.fold(7, log, json.dumps(_SPEC).encode(), r) == _told(log, r)


def test_each_value_of_a_job_lands_in_its_own_field() -> None:
    steps: list[tuple[str, dict[str, Any]]] = [
        ("submit", {"userid": 1000, "urgency": 17, "flags": 0, "version": 1}),
        ("dependency-add", {"description": "after-start=ƒ8"}),
        ("validate", {}),
        ("depend", {}),
        ("priority", {"priority": 18}),
        ("alloc", _SUMMARY),
        ("exception", {"type": "exec", "severity": 0, "note": "n"}),
        ("finish", {"status": 256}),
        ("clean", {}),
    ]
    log = eventlog.encode(Event(float(at), *step) for at, step in enumerate(steps, 20))
    job = _FOLDER.fold(7, log, json.dumps(_SPEC).encode(), _r(99.5))
    assert job == Job(
        id=7,
        userid=1000,
        state=JobState.INACTIVE,
        name="one",
        urgency=17,
        priority=18,
        cwd="/w",
        queue="q",
        project="p",
        bank="b",
        ntasks=5,
        ncores=3,
        nnodes=2,
        duration=3.5,
        ranks="[0-1]",
        nodelist="n[0-1]",
        expiration=99.5,
        t_submit=20.0,
        t_depend=22.0,
        t_priority=23.0,
        t_sched=24.0,
        t_run=25.0,
        t_cleanup=26.0,
        t_inactive=28.0,
        result=JobResult.FAILED,
        waitstatus=256,
        exception=JobException("exec", 0, "n"),
        dependencies=("after-start=ƒ8",),
        annotations=_SUMMARY["annotations"],
    )
    values = [repr(getattr(job, field)) for field in Job.__struct_fields__]
    assert len(set(values)) == len(values), "two could be exchanged, and nobody would notice"


@settings(max_examples=300, deadline=None)
@given(_eventlogs(), st.data())
def test_a_changed_eventlog_never_passes_for_a_course_that_is_known(
    log: bytes, data: st.DataObject
) -> None:
    spec, r = json.dumps(_SPEC).encode(), _r(0.0)
    _FOLDER.fold(7, log, spec, r)
    at = data.draw(st.integers(0, len(log)))
    new = data.draw(st.binary(max_size=2) | st.sampled_from([b'{"timestamp":1.0,', b"\0", b"\n"]))
    changed = log[:at] + new + log[at + data.draw(st.integers(0, 2)) :]
    assert _FOLDER.fold(7, changed, spec, r) == _told(changed, r)


def test_eventlogs_that_differ_in_times_only_share_a_course() -> None:
    courses = EventlogTemplates()
    first, _ = courses.course(eventlog.encode(made.finished(made.T0)))
    second, times = courses.course(eventlog.encode(made.finished(made.T0 + 100)))
    assert second is first
    assert times[first.inactive] == made.T0 + 109.5
    assert courses.course(eventlog.encode(made.pending()))[0] is not first


def test_a_nul_in_an_eventlog_is_no_line_of_a_course() -> None:
    courses = EventlogTemplates()
    log = eventlog.encode(made.finished())
    courses.course(log)
    line = log.split(b"\n")[0] + b"\n"
    forged = log.replace(line, b"\0" + line.partition(b",")[2])
    assert _FOLDER.fold(7, forged, json.dumps(_SPEC).encode(), _r(0.0)) == _told(forged, _r(0.0))
