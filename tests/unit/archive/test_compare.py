"""Account, diff, preview and timelines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from fluxstate_tui.archive.compare import BrokerTime, RestoreOutcome, account, diff
from fluxstate_tui.archive.container import Entry
from fluxstate_tui.archive.preview import PredictedOutcome, RestorePreview, preview
from fluxstate_tui.archive.progress import Reading, ReadingCancelledError
from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.archive.render import diff_json
from fluxstate_tui.archive.timeline import gantt, life, span
from fluxstate_tui.archive.writer import write_archive
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.job import Job, JobException, JobResult, JobState
from tests.unit.archive import given

_PENDING = Job(1, 0, JobState.SCHED, t_submit=5.0)
_RUNNING = replace(_PENDING, state=JobState.RUN, t_run=6.0)
_DONE = replace(
    _RUNNING,
    state=JobState.INACTIVE,
    result=JobResult.COMPLETED,
    waitstatus=0,
    t_cleanup=7.0,
    t_inactive=8.0,
)
_REFUSED = replace(
    _PENDING,
    state=JobState.INACTIVE,
    result=JobResult.FAILED,
    exception=JobException("alloc", 0, "unsatisfiable request"),
)
_KILLED = replace(
    _RUNNING,
    state=JobState.INACTIVE,
    result=JobResult.FAILED,
    exception=JobException("exec", 0, "failed to create guest ns"),
)


@pytest.mark.parametrize(
    ("saved", "live", "fortune"),
    [
        (_DONE, _DONE, RestoreOutcome.SAME),
        (_PENDING, _PENDING, RestoreOutcome.SAME),
        (_PENDING, replace(_PENDING, urgency=0), RestoreOutcome.SAME),
        (_PENDING, _RUNNING, RestoreOutcome.RUNNING),
        (_PENDING, _DONE, RestoreOutcome.FINISHED_SINCE),
        (_PENDING, _REFUSED, RestoreOutcome.REFUSED),
        (_RUNNING, _KILLED, RestoreOutcome.REFUSED),
        (_RUNNING, _DONE, RestoreOutcome.FINISHED_SINCE),
        (_RUNNING, _PENDING, RestoreOutcome.LOST),
        (_DONE, _RUNNING, RestoreOutcome.LOST),
        (_DONE, replace(_DONE, waitstatus=256), RestoreOutcome.LOST),
        (_PENDING, replace(_PENDING, t_submit=9.0), RestoreOutcome.LOST),
        (_PENDING, None, RestoreOutcome.LOST),
    ],
)
def test_every_saved_job_is_accounted_for(
    saved: Job, live: Job | None, fortune: RestoreOutcome
) -> None:
    found = account([saved], [live] if live else [])
    assert [one.fortune for one in found.jobs] == [fortune]
    assert found.balanced == (fortune is not RestoreOutcome.LOST)
    assert found.counts[fortune.value] == 1


def test_a_job_that_was_not_saved_is_new_and_no_loss() -> None:
    found = account([], [_PENDING])
    assert found.balanced
    assert found.explain().endswith("1 new")


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (replace(_PENDING, id=9, t_submit=99.0), "before this broker started"),
        (replace(_PENDING, id=9, t_submit=500.0), "in the future"),
        (replace(_PENDING, id=3, t_submit=150.0), "lower than those of saved jobs"),
    ],
)
def test_a_job_that_was_not_submitted_to_this_broker_is_foreign(other: Job, why: str) -> None:
    saved = replace(_PENDING, id=4)
    found = account([saved], [saved, other], BrokerTime(100.0, 200.0))
    assert not found.balanced
    assert [why in one.reason for one in found.foreign] == [True]
    assert found.explain().startswith("1 saved: 1 same")
    assert found.explain().endswith("0 lost; 1 foreign")


def test_a_job_that_was_submitted_to_this_broker_is_new() -> None:
    saved, new = replace(_PENDING, id=4), replace(_PENDING, id=9, t_submit=150.0)
    found = account([saved], [saved, new], BrokerTime(100.0, 200.0))
    assert found.balanced
    assert found.counts["new"] == 1


@pytest.mark.parametrize("change", [{"name": "evil"}, {"cwd": "/evil"}, {"ntasks": 9}])
def test_other_work_under_the_id_of_a_saved_job_is_a_loss(change: dict[str, Any]) -> None:
    saved = replace(_PENDING, name="good", cwd="/good", ntasks=1)
    found = account([saved], [replace(saved, **change)])
    assert found.counts["lost"] == 1


def test_a_diff_names_field_from_and_to() -> None:
    other = replace(_PENDING, id=2)
    found = diff([_PENDING, other], [replace(_PENDING, urgency=31), replace(_PENDING, id=3)])
    assert [job.id for job in found.only_a] == [2]
    assert [job.id for job in found.only_b] == [3]
    assert [(one.name, one.before, one.after) for one in found.changed[0].fields] == [
        ("urgency", 16, 31)
    ]
    assert not found.equal


def test_the_schedulers_annotations_are_no_difference_but_memos_are() -> None:
    noted = replace(_PENDING, annotations={"sched": {"resource_summary": "rank0"}})
    assert diff([_PENDING], [noted]).equal
    memo = replace(_PENDING, annotations={"user": {"a": 1}})
    assert diff([_PENDING], [memo]).changed[0].fields[0].name == "annotations.user"


def _look(
    events: list[Event], spec: dict[str, Any], *more: Entry, **options: Any
) -> RestorePreview:
    job = given.job_entries(1, events, spec)
    return preview(read_archive(given.archive(*job, *more)), **{"size": 2, **options})


def test_a_job_that_needs_more_nodes_can_never_fit_and_the_right_size_is_named() -> None:
    found = _look(given.pending(), given.jobspec(nodes=3))
    assert found.jobs[0].fate is PredictedOutcome.NEVER_FITS
    assert found.size_needed == 3
    assert (
        _look(given.pending(), given.jobspec(nodes=3), size=3).jobs[0].fate
        is PredictedOutcome.STARTS
    )


def test_a_task_that_needs_more_cores_than_a_node_has_can_never_fit() -> None:
    spec = given.jobspec()
    spec["resources"][0]["with"][0]["count"] = 8
    found = _look(given.pending(), spec)
    assert found.jobs[0].fate is PredictedOutcome.NEVER_FITS
    assert found.size_needed == 1
    assert _look(given.pending(), spec, cores=8).jobs[0].fate is PredictedOutcome.STARTS


def test_another_owner_cannot_run_the_jobs() -> None:
    assert (
        _look(given.pending(), given.jobspec(), uid=1000).jobs[0].fate
        is PredictedOutcome.OTHER_USER
    )
    assert (
        _look(given.finished(), given.jobspec(), uid=1000).jobs[0].fate is PredictedOutcome.HISTORY
    )


def test_named_queues_come_up_stopped_and_missing_ones_keep_their_jobs_for_ever() -> None:
    spec = given.jobspec(queue="batch")
    found = _look(given.pending(), spec)
    assert [(queue.name, queue.started) for queue in found.queues] == [("batch", False)]
    assert found.jobs[0].fate is PredictedOutcome.WAITS
    assert _look(given.pending(), spec, queues=[]).jobs[0].fate is PredictedOutcome.NO_QUEUE
    assert (
        _look(given.pending(), spec, queues=["batch", "x"]).jobs[0].fate is PredictedOutcome.WAITS
    )


_STOPPED = b'{"enable":true,"start":false,"stop_reason":"paused"}'


def test_a_checkpoint_that_says_stopped_keeps_jobs_waiting() -> None:
    checkpoint = b'{"version":1,"max_jobid":9,"queue":[%b]}' % _STOPPED
    entry = Entry("checkpoint/job-manager", checkpoint)
    found = _look(given.pending(), given.jobspec(), entry)
    assert found.jobs[0].fate is PredictedOutcome.WAITS
    assert "the queue comes up STOPPED (paused)" in found.lines()


def test_before_flux_core_0_74_the_jobs_of_a_stopped_anonymous_queue_run_all_the_same() -> None:
    checkpoint = b'{"version":1,"max_jobid":9,"queue":[%b]}' % _STOPPED
    entries = [Entry("checkpoint/job-manager", checkpoint), *given.job_entries(1, given.pending())]
    old = read_archive(write_archive([*given.instance("0.66.0"), *entries], ".tar.gz"))
    found = preview(old, size=2)
    assert found.jobs[0].fate is PredictedOutcome.STARTS
    assert found.lines()[0] == "flux-core 0.66.0 runs jobs of the queue that it restores as stopped"
    new = preview(read_archive(given.archive(*entries)), size=2)
    assert (new.jobs[0].fate, new.warnings) == (PredictedOutcome.WAITS, ())


def test_a_job_that_waits_for_the_success_of_a_running_one_fails_with_it() -> None:
    depends = Event(given.T0 + 1.6, "dependency-add", {"description": "after-success=ƒ2"})
    waiting = [*given.pending()[:2], depends]
    running = given.job_entries(1, given.finished()[:6])
    archive = read_archive(given.archive(*running, *given.job_entries(9, waiting)))
    assert [one.fate for one in preview(archive, size=2).jobs] == [
        PredictedOutcome.FAILED,
        PredictedOutcome.FAILED,
    ]


def test_a_preview_of_a_broken_archive_says_that_flux_cannot_restore_it() -> None:
    truncated = preview(read_archive(given.path("truncated")), size=2).lines()
    assert truncated[0].startswith("Flux cannot restore this archive")
    assert "EMPTY" in preview(read_archive(b""), size=2).lines()[0]
    assert preview(read_archive(given.path("mixed")), size=2).warnings == ()


def test_a_life_has_the_phases_in_order_with_their_lengths() -> None:
    phases = life(1, given.finished())
    names = [phase.state.name for phase in phases]
    assert names == ["NEW", "DEPEND", "PRIORITY", "SCHED", "RUN", "CLEANUP"]
    assert [phase.seconds(0) for phase in phases] == [1, 1, 1, 1, 2, 3]


def test_a_restart_shows_as_a_second_wait() -> None:
    again = [Event(given.T0 + 9, "flux-restart"), Event(given.T0 + 10, "priority", {"priority": 1})]
    phases = life(1, [*given.pending(), *again])
    assert [phase.state.name for phase in phases[-3:]] == ["SCHED", "PRIORITY", "SCHED"]
    assert phases[-1].end is None
    assert phases[-1].seconds(given.T0 + 12) == 2


def test_jobs_that_share_a_node_are_in_different_lanes() -> None:
    def job(number: int, begin: float, end: float | None) -> Job:
        return replace(_DONE, id=number, t_run=begin, t_cleanup=end, nodelist="n[0-1]")

    rows = gantt([job(1, 0, 10), job(2, 5, None), job(3, 10, 12), _PENDING], "n[0-2]")
    assert [row.host for row in rows] == ["n0", "n1", "n2"]
    lanes = [[one.job.id for one in lane] for lane in rows[0].lanes]
    assert lanes == [[1, 3], [2]]
    assert rows[2].lanes == ()
    assert span([_DONE, _PENDING], 99.0) == (5.0, 99.0)
    assert span([], 1.0) is None


def test_a_diff_for_programs_has_values_not_texts() -> None:
    failed = JobException("exec", 0, "no")
    after = replace(_DONE, urgency=20, result=JobResult.FAILED, exception=failed, t_run=None)
    (change,) = json.loads(diff_json(diff([_DONE], [after])))["changed"]
    fields = {field["name"]: (field["before"], field["after"]) for field in change["fields"]}
    assert fields["urgency"] == (16, 20)
    assert fields["result"] == ("COMPLETED", "FAILED")
    assert fields["exception"] == (None, {"type": "exec", "severity": 0, "note": "no"})
    assert fields["t_run"] == (_DONE.t_run, None)


def test_what_nobody_waits_for_any_more_ends_soon() -> None:
    reading = Reading()
    reading.stop()
    archive = read_archive(given.path("mixed"))
    jobs = [one.job for one in archive.jobs]
    with pytest.raises(ReadingCancelledError):
        preview(archive, size=2, go_on=reading.go_on)
    with pytest.raises(ReadingCancelledError):
        gantt(jobs, go_on=reading.go_on)
    with pytest.raises(ReadingCancelledError):
        diff(jobs, jobs, reading.go_on)
