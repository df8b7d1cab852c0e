"""The one fold from a job's events to the job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.job import Job, JobException, JobResult, JobState
from fluxstate_tui.flux.job_json import job_from_rpc, job_to_json, returncode
from fluxstate_tui.flux.reducer import JobBuilder
from fluxstate_tui.flux.resources import Share, make_alloc
from tests.unit.archive.given import T0, finished, jobspec, pending

_RPC = Path(__file__).parents[2] / "data" / "flux" / "rpc-job-list.list-mixed.json"


def _fold(events: list[Event], spec: dict[str, Any] | None = None) -> Job:
    draft = JobBuilder(1)
    for event in events:
        r = make_alloc([Share(0, "n0", (0, 1))]) if event.name == "alloc" else None
        draft.apply(event, jobspec=spec or jobspec() if event.name == "submit" else None, R=r)
    return draft.freeze()


def _at(offset: float, name: str, **context: Any) -> Event:
    return Event(T0 + offset, name, context)


def test_a_plain_success_has_all_its_times() -> None:
    job = _fold(finished())
    times = (job.t_submit, job.t_depend, job.t_priority, job.t_sched, job.t_run)
    assert times == tuple(T0 + index + 0.5 for index in range(5))
    assert (job.t_cleanup, job.t_inactive) == (T0 + 6.5, T0 + 9.5)
    assert (job.status, job.waitstatus, returncode(job)) == ("COMPLETED", 0, 0)
    assert (job.ranks, job.nodelist, job.ncores) == ("0", "n0", 2)


def test_a_restart_keeps_the_first_times_and_waits_for_a_new_priority() -> None:
    job = _fold([*pending(), _at(60, "flux-restart")])
    assert job.state is JobState.PRIORITY
    job = _fold([*pending(), _at(60, "flux-restart"), _at(61, "priority", priority=3)])
    assert (job.state, job.priority) == (JobState.SCHED, 3)
    assert (job.t_priority, job.t_sched) == (T0 + 2.5, T0 + 3.5)


def test_a_canceled_pending_job_never_ran() -> None:
    cancel = _at(9, "exception", type="cancel", severity=0, note="no")
    job = _fold([*pending(), cancel, _at(10, "clean")])
    assert (job.status, job.t_run, job.t_cleanup) == ("CANCELED", None, T0 + 9)
    assert returncode(job) == -128


def test_a_timeout_keeps_its_wait_status() -> None:
    raised = _at(5.2, "exception", type="timeout", severity=0, note="expired")
    events = [*finished()[:6], raised, _at(6, "finish", status=36352), _at(7, "clean")]
    job = _fold(events)
    assert (job.status, returncode(job), job.t_cleanup) == ("TIMEOUT", 142, T0 + 5.2)


def test_the_lowest_severity_decides_and_then_the_first() -> None:
    def raised(severity: int, kind: str) -> Event:
        return _at(5.5, "exception", type=kind, severity=severity, note="")

    job = _fold([*finished()[:6], raised(7, "a"), raised(2, "b"), raised(2, "c"), *finished()[6:]])
    assert job.exception == JobException("b", 2, "")
    assert job.status == "COMPLETED"


def test_a_signal_is_a_negative_return_code() -> None:
    events = [*finished()[:6], _at(6, "finish", status=9), _at(7, "clean")]
    assert returncode(_fold(events)) == -9


def test_dependencies_come_and_go() -> None:
    added = _at(0.7, "dependency-add", description="after-success=ƒ2")
    events = [*finished()[:1], added, *finished()[1:2]]
    assert _fold(events).dependencies == ("after-success=ƒ2",)
    removed = _at(1.7, "dependency-remove", description="after-success=ƒ2")
    assert _fold([*events, removed]).dependencies == ()


def test_memos_merge_and_null_takes_away() -> None:
    events = [*pending(), _at(5, "memo", a=1, b=2), _at(6, "memo", a=None, c=3)]
    assert _fold(events).annotations == {"user": {"b": 2, "c": 3}}
    assert _fold([*events, _at(7, "memo", b=None, c=None)]).annotations == {}


def test_memos_merge_inside_objects_and_null_takes_away_at_every_depth() -> None:
    events = [*pending(), _at(5, "memo", a={"b": 1, "c": {"d": None}}, e=[None, {"f": None}])]
    assert _fold(events).annotations == {"user": {"a": {"b": 1}, "e": [None, {"f": None}]}}
    events.append(_at(6, "memo", a={"b": None, "g": {"h": 2}}))
    assert _fold(events).annotations["user"]["a"] == {"g": {"h": 2}}
    events.append(_at(7, "memo", a={"g": {"h": None}}, e=None))
    assert _fold(events).annotations == {}


def test_the_exception_of_an_active_job_is_told_in_json_when_it_is_over() -> None:
    raised = _at(6.5, "exception", type="oom", severity=2, note="n")
    events = [*finished()[:6], raised]
    assert job_to_json(_fold(events))["exception"] == {"occurred": False}
    over = job_to_json(_fold([*events, *finished()[6:]]))
    assert over["exception"] == {"occurred": True, "severity": 2, "type": "oom", "note": "n"}


def test_a_failed_job_is_canceled_by_an_exception_of_any_severity() -> None:
    raised = _at(5.5, "exception", type="cancel", severity=3, note="")
    events = [*finished()[:6], raised, _at(6, "finish", status=256), _at(7, "clean")]
    assert _fold(events).status == "CANCELED"


def test_updates_change_the_job() -> None:
    update = _at(5, "jobspec-update", **{"attributes.system.duration": 60})
    job = _fold([*pending(), update, _at(6, "priority", priority=1)])
    assert (job.duration, job.state) == (60.0, JobState.SCHED)
    job = _fold([*finished()[:6], _at(5.6, "resource-update", expiration=T0 + 9)])
    assert job.expiration == T0 + 9


def test_tasks_per_core_are_known_once_r_is() -> None:
    shell = {"options": {"per-resource": {"type": "core", "count": 3}}}
    assert _fold(finished(), jobspec(nodes=1, shell=shell)).ntasks == 6


def test_a_wrong_context_raises_and_changes_nothing() -> None:
    draft = JobBuilder(1)
    for event in pending():
        draft.apply(event)
    before = draft.freeze()
    for event in (
        _at(9, "urgency", urgency=99),
        _at(9, "priority", priority="x"),
        _at(9, "exception", type=3, severity=0),
        _at(9, "jobspec-update", **{"attributes.system.duration": "x"}),
        _at(9, "dependency-add"),
        _at(9, "resource-update", expiration=-1),
    ):
        with pytest.raises(ValueError, match=r"event|update"):
            draft.apply(event)
        assert draft.freeze() == before


@given(st.integers(0, 10), st.integers(0, 10))
def test_events_on_a_snapshot_that_has_them_already_change_nothing(known: int, again: int) -> None:
    """The journal repeats what a snapshot taken meanwhile already shows."""
    events = finished()
    expected = _fold(events)
    draft = JobBuilder.of(_fold(events[:known]))
    for event in events[min(known, again) :]:
        r = make_alloc([Share(0, "n0", (0, 1))]) if event.name == "alloc" else None
        draft.apply(event, jobspec=jobspec() if event.name == "submit" else None, R=r)
    assert draft.freeze() == expected


@given(st.permutations(finished()))
def test_events_in_any_order_never_crash(events: list[Event]) -> None:
    assert isinstance(_fold(events), Job)


def test_the_rpc_tells_the_same_jobs_as_the_command() -> None:
    jobs = [job_from_rpc(value) for value in json.loads(_RPC.read_text())["jobs"]]
    assert len(jobs) == 36
    failed = next(job for job in jobs if job.name == "f-exit3")
    assert (failed.state, failed.result) == (JobState.INACTIVE, JobResult.FAILED)
    assert returncode(failed) == 3
    assert job_to_json(failed)["waitstatus"] == 768


def test_a_cancel_after_the_finish_event_does_not_undo_a_success() -> None:
    """job-list decides at the finish event (seen on flux-core 0.88 among 2,000 busy jobs)."""
    cancel = _at(6.6, "exception", type="cancel", severity=0, note="")
    job = _fold([*finished()[:7], cancel, *finished()[7:]])
    assert job.result is JobResult.COMPLETED
    assert job.exception == JobException("cancel", 0, "")
    assert JobBuilder.of(job).freeze() == job


def test_a_cancel_before_the_finish_event_decides() -> None:
    cancel = _at(5.6, "exception", type="cancel", severity=0, note="")
    assert _fold([*finished()[:6], cancel, *finished()[6:]]).result is JobResult.CANCELED
