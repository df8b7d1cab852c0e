"""Throughput, and when a queue will be idle."""

from __future__ import annotations

from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.live import events
from fluxstate_tui.live.outlook import Outlook, ended_between, run_times, throughput, until_idle
from fluxstate_tui.live.picture import ClusterPicture
from fluxstate_tui.live.store import Store
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.feed import NOW


def picture_of(jobs: tuple[Job, ...]) -> tuple[Store, ClusterPicture]:
    store = Store()
    for event in feed.running_cluster("flux-sample", 4, jobs):
        store.take(event)
    return store, store.clusters["uid-flux-sample"]


def test_throughput_is_what_ended_in_the_last_minutes() -> None:
    store, picture = picture_of(feed.jobs(30, 0, 0))
    assert throughput(picture) is None
    store.tick(NOW)
    for minute in range(1, 4):
        ended = (feed.job(minute, JobState.INACTIVE),)
        store.take(events.JobsChanged(picture.ref, ended, NOW + 60 * minute))
        store.tick(NOW + 60 * minute)
    found = throughput(picture)
    assert found is not None
    assert (found.ended, found.per_minute) == (3, 1.0)


def test_a_queue_that_went_back_in_time_has_not_worked_backwards() -> None:
    store, picture = picture_of(feed.jobs(0, 0, 30))
    store.tick(NOW)
    store.take(events.JobsListed(picture.ref, feed.by_id(feed.jobs(0, 0, 10)), NOW + 10))
    store.tick(NOW + 10)
    assert ended_between(picture) == [0]


def test_the_time_until_idle_rests_on_limits_then_on_history_and_says_what_is_unknown() -> None:
    limited = feed.job(1, JobState.RUN, duration=600.0, t_run=NOW - 100, ncores=1)
    guessed = feed.job(2, name="md", ncores=4)
    unknown, held = feed.job(3, name="new"), feed.job(4, urgency=0)
    found = until_idle((limited, guessed, unknown, held), {"md": 50.0}, 8, NOW)
    assert found == Outlook(500.0, 1, 1, 1, 1)


def test_much_work_on_few_cores_takes_longer_than_its_longest_job() -> None:
    waiting = tuple(feed.job(n, duration=60.0, ncores=2) for n in range(100))
    assert until_idle(waiting, {}, 4, NOW).seconds == 3000.0


def test_history_counts_only_jobs_that_completed() -> None:
    found = run_times(feed.jobs(5, 5, 40))
    assert all(30.0 <= seconds <= 90.0 for seconds in found.values())
    assert run_times(feed.jobs(5, 5, 0)) == {}


def test_active_jobs_are_kept_with_every_change() -> None:
    store, picture = picture_of(feed.jobs(5, 5, 20))
    assert len(picture.active) == 10
    store.take(
        events.JobsChanged(picture.ref, (feed.job(25, JobState.INACTIVE), feed.job(99)), NOW)
    )
    assert picture.active.keys() == {
        job.id for job in picture.jobs.values() if job.state is not JobState.INACTIVE
    }
    store.take(events.JobsListed(picture.ref, feed.by_id(feed.jobs(1, 0, 0)), NOW))
    assert len(picture.active) == 1
