"""Lists and journal events, in whatever order they meet, become the same jobs."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest

from fluxstate_tui.broker.live_jobs import JobListSnapshot, LiveJobs
from fluxstate_tui.broker.protocol import JobEvents, JobsPiece
from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.flux.job_json import job_from_rpc
from tests.unit.broker.script import JOBSPEC, T0, R, event, lifetime, listed

A, B = 16 << 24, 17 << 24


def _list(live: LiveJobs, *jobs: dict[str, Any], part: bool = False) -> JobListSnapshot:
    data = zlib.compress(json.dumps({"jobs": list(jobs)}).encode())
    snapshot = live.piece(JobsPiece(base64.b64encode(data).decode(), last=True, part=part, now=0.0))
    assert snapshot is not None
    return snapshot


def _tell(live: LiveJobs, job_id: int, events: list[dict[str, Any]]) -> None:
    jobspec = JOBSPEC if events[0]["name"] == "submit" else None
    live.events(JobEvents(job_id, tuple(events), jobspec, R))


def _by_id(jobs: tuple[Job, ...]) -> dict[int, Job]:
    assert len({job.id for job in jobs}) == len(jobs)
    return {job.id: job for job in jobs}


@pytest.mark.parametrize("seen", range(1, 11))
@pytest.mark.parametrize("subscribed", range(11))
def test_a_join_at_any_moment_gives_the_job_without_gap_or_double(
    seen: int, subscribed: int
) -> None:
    """job-list has seen `seen` events when the journal, begun after `subscribed`, is at the end."""
    history = lifetime()
    lagging = LiveJobs()
    _tell(lagging, A, history[:seen])
    list_had = lagging.changes()[0]
    live = LiveJobs()
    if 0 < subscribed < len(history):
        live.active(frozenset({A}))
        _tell(live, A, history[:subscribed])  # the history of active jobs comes first
    else:
        live.active(frozenset())
        if subscribed == len(history) and seen < len(history):
            live.replace([list_had])
            assert live.gaps, "a job that job-list wrongly calls active has to be asked for again"
            return
    jobs = _by_id(live.replace([list_had] if subscribed else []).jobs)
    for entry in history[subscribed:]:
        _tell(live, A, [entry])
        jobs |= _by_id(live.changes())
    whole = LiveJobs()
    _tell(whole, A, history)
    assert jobs[A] == whole.changes()[0]
    assert not live.gaps
    assert live.counts() == {"pending": 0, "running": 0, "inactive": 1}


def test_an_old_active_job_of_the_list_goes_on_with_the_journal() -> None:
    live = LiveJobs()
    live.active(frozenset({A}))
    _list(live, listed(A, JobState.SCHED, t_depend=T0, t_priority=T0, t_sched=T0, priority=16))
    _tell(live, A, [event("alloc", 100.0)])
    assert live.changes()[0].state is JobState.RUN


def test_an_event_that_the_list_already_holds_does_nothing() -> None:
    live = LiveJobs()
    live.active(frozenset({A}))
    snapshot = _list(live, listed(A, JobState.RUN, urgency=20, t_run=T0 + 5, t_sched=T0 + 1))
    _tell(live, A, [event("urgency", 2.0, urgency=3, userid=0)])
    assert live.changes() == snapshot.jobs


def test_a_late_event_of_a_finished_job_does_nothing() -> None:
    live = LiveJobs()
    _list(live, listed(A, JobState.INACTIVE, result=1))
    _tell(live, A, [event("clean", 1.7)])
    assert live.changes() == ()
    assert not live.gaps


def test_an_event_of_an_unknown_job_asks_for_the_list() -> None:
    live = LiveJobs()
    _list(live)
    _tell(live, A, [event("alloc", 1.0)])
    assert live.gaps
    _list(live, listed(A, JobState.RUN))
    assert not live.gaps


def test_a_list_that_lags_behind_does_not_take_back_what_the_journal_said() -> None:
    live = LiveJobs()
    live.active(frozenset())
    _list(live)
    _tell(live, A, lifetime())
    _tell(live, B, lifetime()[:5])
    told = _by_id(live.changes())
    assert _by_id(_list(live, listed(A, JobState.RUN)).jobs) == told
    assert live.counts() == {"pending": 0, "running": 1, "inactive": 1}


def test_a_refused_submission_is_no_job() -> None:
    live = LiveJobs()
    _list(live)
    _tell(live, A, [lifetime()[0]])
    _tell(live, A, [event("invalidate", 0.1)])
    assert live.total == 0
    assert live.gaps, "it may be on the screen: the list is read again"


def test_polling_moves_jobs_from_active_to_ended() -> None:
    live = LiveJobs()
    _list(live, listed(A, JobState.RUN), listed(B, JobState.SCHED))
    snapshot = _list(live, listed(A, JobState.INACTIVE, result=1), part=True)
    assert not snapshot.complete
    assert live.counts() == {"pending": 1, "running": 0, "inactive": 1}


@pytest.mark.parametrize(
    ("after", "loud"),
    [
        ([A, B], False),
        ([B], False),  # Flux purged the oldest inactive job
        ([A], True),  # the newest is gone
        ([], True),
    ],
)
def test_a_broker_that_went_back_in_time_is_called_so(after: list[int], loud: bool) -> None:
    live = LiveJobs()
    _list(live, listed(A, JobState.INACTIVE, result=1), listed(B, JobState.INACTIVE, result=1))
    live.interrupted()
    snapshot = _list(live, *(listed(job, JobState.INACTIVE, result=1) for job in after))
    assert bool(snapshot.went_back) == loud
    if loud:
        assert f"{2 - len(after)} of 2 jobs are gone" in snapshot.went_back


def test_a_lost_pending_job_is_going_back_in_time_too() -> None:
    live = LiveJobs()
    _list(live, listed(A, JobState.SCHED), listed(B, JobState.INACTIVE, result=1))
    live.interrupted()
    assert "1 of 2" in _list(live, listed(B, JobState.INACTIVE, result=1)).went_back


def test_after_an_interruption_the_list_decides() -> None:
    live = LiveJobs()
    live.active(frozenset())
    _list(live)
    _tell(live, A, lifetime()[:5])
    live.interrupted()
    jobs = _by_id(_list(live, listed(A, JobState.INACTIVE, result=1)).jobs)
    assert jobs[A].state is JobState.INACTIVE


def test_records_that_cannot_be_understood_are_counted_and_the_rest_is_kept() -> None:
    live = LiveJobs()
    snapshot = _list(live, {"id": "x"}, listed(A, 99), listed(B, JobState.RUN))
    assert [job.id for job in snapshot.jobs] == [B]
    _tell(live, B, [event("finish", 5.0, status="bad"), event("clean", 6.0)])
    assert live.unreadable == 3


def test_a_half_list_of_a_lost_conversation_is_forgotten() -> None:
    live = LiveJobs()
    data = zlib.compressobj()
    half = data.compress(b'{"jobs":[') + data.flush(zlib.Z_SYNC_FLUSH)
    assert live.piece(JobsPiece(base64.b64encode(half).decode(), False, False, 0.0)) is None
    live.interrupted()
    assert _list(live, listed(A, JobState.RUN)).jobs == (job_from_rpc(listed(A, JobState.RUN)),)
