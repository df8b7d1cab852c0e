"""What the store promises: one consistent picture, cheap patches, and nothing guessed."""

from __future__ import annotations

import asyncio
import tracemalloc
from dataclasses import replace

from fluxstate_tui.flux.job import Job, JobResult, JobState
from fluxstate_tui.live import events as e
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.live.picture import JobCounts
from fluxstate_tui.live.store import Changes, Notices, Store
from fluxstate_tui.minicluster.minicluster import Phase
from fluxstate_tui.minicluster.phase import derive
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.feed import NOW

SAMPLE = feed.ref("flux-sample")


def store_of(events: list[e.StoreEvent]) -> Store:
    store = Store(derive)
    for event in events:
        store.take(event)
    store.take_changes()
    return store


def test_a_summary_counts_the_jobs_of_its_own_minicluster() -> None:
    summary = store_of(feed.world()).summaries[SAMPLE.uid]
    assert (summary.pending, summary.running) == (12, 6)
    assert (summary.done or 0) + (summary.failed or 0) == 58
    assert summary.queue == "started"
    assert summary.archives == 3


def test_counts_after_many_patches_equal_a_recount() -> None:
    store = store_of(feed.world())
    queue = list(store.clusters[SAMPLE.uid].jobs.values())
    for seed in range(20):
        store.take(e.JobsChanged(SAMPLE, feed.churn(queue, 30, seed), NOW))
    kept = store.clusters[SAMPLE.uid].counts
    fresh = JobCounts()
    fresh.recount(store.clusters[SAMPLE.uid].jobs.values())
    assert (kept.pending, kept.running, kept.done, kept.failed) == (
        fresh.pending,
        fresh.running,
        fresh.done,
        fresh.failed,
    )


def test_a_change_names_only_what_changed() -> None:
    store = store_of(feed.world())
    changed = feed.job(3, JobState.RUN)
    store.take(e.JobsChanged(SAMPLE, (changed,), NOW))
    changes = store.take_changes()
    assert changes.jobs == {SAMPLE.uid: {changed.id}}
    assert changes.summaries == {SAMPLE.uid}
    assert not store.take_changes()


def test_events_about_a_minicluster_that_is_not_known_are_left_out() -> None:
    store = store_of([])
    store.take(e.JobsListed(SAMPLE, feed.by_id(feed.jobs(1, 1, 1)), NOW))
    assert store.clusters == {}
    assert not store.take_changes()


def test_pods_belong_to_a_minicluster_over_the_job_that_owns_them_not_over_their_name() -> None:
    stranger = replace(feed.pod("flux-sample", 9), uid="x", owner_uid="other", owner_name="other")
    store = store_of([*feed.world(), e.PodChanged(stranger, NOW)])
    assert [pod.index for pod in store.pods_of(SAMPLE.uid)] == [0, 1, 2, 3]


def test_pods_are_found_without_the_right_to_list_jobs() -> None:
    store = store_of(
        [
            e.MiniClusterChanged(feed.minicluster("lonely"), NOW),
            e.PodChanged(feed.pod("lonely", 0), NOW),
        ]
    )
    assert len(store.pods_of("uid-lonely")) == 1


def test_a_deleted_minicluster_is_deleting_until_its_last_pod_is_gone() -> None:
    store = store_of(feed.world())
    store.take(e.MiniClusterGone(SAMPLE.uid, NOW + 1))
    store.take_changes()
    assert store.summaries[SAMPLE.uid].phase is Phase.DELETING
    assert not store.summaries[SAMPLE.uid].deleted
    for index in range(4):
        store.take(e.PodGone(f"pod-flux-sample-{index}", NOW + 30))
    store.take_changes()
    last = store.summaries[SAMPLE.uid]
    assert last.deleted
    assert "3 archives can be restored" in last.reason


def test_a_minicluster_made_again_takes_the_place_of_the_deleted_one_and_its_archives() -> None:
    store = store_of(feed.world())
    store.take(e.MiniClusterGone(SAMPLE.uid, NOW + 1))
    for index in range(4):
        store.take(e.PodGone(f"pod-flux-sample-{index}", NOW + 30))
    again = feed.minicluster("flux-sample", uid="uid-again")
    store.take(e.MiniClusterChanged(again, NOW + 40))
    store.take_changes()
    assert SAMPLE.uid not in store.summaries
    assert store.summaries["uid-again"].archives == 3
    assert store.summaries["uid-again"].pending is None


def test_a_list_without_a_minicluster_says_that_it_is_gone() -> None:
    store = store_of(feed.world())
    store.take(e.MiniClustersListed((feed.minicluster("starting"),), NOW + 5))
    assert store.clusters[SAMPLE.uid].gone_at == NOW + 5
    assert store.clusters["uid-starting"].gone_at is None


def test_a_stale_source_keeps_its_age_while_it_stays_stale() -> None:
    store = store_of(feed.world())
    source = f"queue:{SAMPLE.uid}"
    store.take(e.SourceChanged(source, Freshness.STALE, "stream ended", NOW + 10))
    store.take(e.SourceChanged(source, Freshness.STALE, "no answer", NOW + 20))
    known = store.source(source)
    assert known is not None
    assert known.age(NOW + 70) == 60
    assert known.detail == "no answer"
    store.take_changes()
    assert store.summaries[SAMPLE.uid].queue_since == NOW + 10
    store.take(e.SourceChanged(source, Freshness.LIVE, "", NOW + 80))
    store.take_changes()
    assert store.summaries[SAMPLE.uid].queue_since is None


def test_a_queue_that_goes_back_in_time_is_said_aloud() -> None:
    store = store_of(feed.world())
    store.take(e.JobsListed(SAMPLE, feed.by_id(feed.jobs(0, 0, 20)), NOW + 1))
    store.take_changes()
    row = store.summaries[SAMPLE.uid]
    assert "went back in time: 76 jobs before, 20 now" in row.warning
    assert row.warning == row.evidence[0]


def test_a_queue_that_grew_is_no_alarm() -> None:
    store = store_of(feed.world())
    store.take(e.JobsListed(SAMPLE, feed.by_id(feed.jobs(20, 6, 58)), NOW + 1))
    store.take_changes()
    assert not any("back in time" in line for line in store.summaries[SAMPLE.uid].evidence)


def test_the_clusters_time_follows_its_clock_and_its_rate() -> None:
    store = store_of(feed.world())
    store.take(e.BrokerSeen(SAMPLE, "run", "0.88.0", 100.0, 4.0, NOW))
    assert store.clusters[SAMPLE.uid].cluster_now(NOW + 10) == NOW + 140


def test_old_kubernetes_events_make_room_for_new_ones() -> None:
    store = store_of(feed.world())
    for number in range(5000):
        store.take(e.KubeEventSeen(feed.kube_event(number, "flux-sample", "Pulled", "x"), NOW))
    assert len(store.events_of(SAMPLE.uid)) <= 2000


async def test_a_burst_of_events_is_one_notice() -> None:
    store = store_of(feed.world())
    told: list[Changes] = []
    notices = Notices(store, interval=0.02)
    notices.subscribe(told.append)
    for number in range(50):
        store.take(e.JobsChanged(SAMPLE, (feed.job(number, JobState.RUN),), NOW))
    for _ in range(200):
        if told:
            break
        await asyncio.sleep(0.005)
    assert len(told) == 1
    assert len(told[0].jobs[SAMPLE.uid] or ()) == 50
    notices.close()


async def test_nothing_is_told_when_nothing_changes() -> None:
    store = store_of(feed.world())
    told: list[Changes] = []
    notices = Notices(store, interval=0.001)
    notices.subscribe(told.append)
    store.tick(NOW)
    store.take(e.MiniClusterChanged(store.clusters[SAMPLE.uid].minicluster, NOW))
    await asyncio.sleep(0.02)
    assert told == []
    notices.close()


def test_the_store_needs_less_than_a_kilobyte_per_job_beyond_the_job_itself() -> None:
    store = store_of(feed.world())
    jobs = tuple(feed.job(number) for number in range(10_000))
    tracemalloc.start()
    store.take(e.JobsListed(SAMPLE, feed.by_id(jobs), NOW))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used / len(jobs) < 1000


def test_results_are_counted_as_done_only_when_completed() -> None:
    counts = JobCounts()
    ended: list[Job] = [feed.job(n, JobState.INACTIVE, result=r) for n, r in enumerate(JobResult)]
    for one in ended:
        counts.add(one)
    assert (counts.done, counts.failed) == (1, 3)


def test_a_recount_equals_counting_one_by_one() -> None:
    jobs = feed.jobs(30, 7, 200)
    at_once, one_by_one = JobCounts(), JobCounts()
    at_once.recount(jobs)
    for one in jobs:
        one_by_one.add(one)
    assert at_once == one_by_one
    assert at_once.pending == 30


def test_ages_and_phases_go_by_the_clock_of_the_api_server() -> None:
    ahead = e.ServerClockSeen(offset=3600.0, rate=1.0, at=NOW)
    made = replace(feed.minicluster("new"), created=NOW + 3600 - 30)
    store = store_of([e.MiniClusterChanged(made, NOW)])
    assert store.summaries["uid-new"].phase is Phase.SCHEDULING  # "just created", by our clock
    store.take(ahead)
    store.take_changes()
    summary = store.summaries["uid-new"]
    assert summary.phase is Phase.INVALID  # the operator has ignored it for 30 s
    assert summary.created == NOW - 30
    assert store.server_now(NOW + 5) == NOW + 3605


def test_archives_are_aged_by_the_server_that_dated_them() -> None:
    newest = e.CatalogSeen(feed.ref("flux-sample"), feed.catalog(), False, NOW)
    store = store_of([*feed.world(), newest])
    by_ours = store.summaries["uid-flux-sample"].newest_archive
    store.take(e.ServerClockSeen(offset=3600.2, rate=1.0, at=NOW))
    store.take(newest)
    store.take_changes()
    assert by_ours is not None
    assert store.summaries["uid-flux-sample"].newest_archive == by_ours - 3600


def test_the_time_of_a_server_that_is_scaled_goes_faster() -> None:
    store = store_of([e.ServerClockSeen(offset=100.0, rate=4.0, at=NOW)])
    assert store.server_now(NOW + 10) == NOW + 140


def test_a_broker_that_we_may_not_ask_is_not_called_one_that_does_not_answer() -> None:
    source = "queue:uid-starting"
    why = "User 'watch' may not get pods/exec in namespace 'default'."
    store = store_of([*feed.world(), e.SourceChanged(source, Freshness.FORBIDDEN, why, NOW)])
    summary = store.summaries["uid-starting"]
    assert summary.phase is Phase.UNKNOWN
    assert "the broker cannot be asked: no right to exec." in summary.reason
    assert why in summary.reason


def test_who_may_not_list_jobs_is_not_told_that_there_is_none() -> None:
    store = store_of([e.MiniClusterChanged(feed.minicluster("lonely"), NOW)])
    assert store.summaries["uid-lonely"].phase is Phase.INVALID
    store.take(e.SourceChanged("jobs", Freshness.FORBIDDEN, "no right", NOW))
    store.take_changes()
    summary = store.summaries["uid-lonely"]
    assert summary.phase is Phase.UNKNOWN
    assert "no right to list jobs" in summary.reason


def test_a_broker_that_a_proxy_keeps_from_us_is_unknown_and_no_right_is_missing() -> None:
    source = "queue:uid-starting"
    why = "The connection to the broker was refused on the way (HTTP 403 with HTML)."
    store = store_of([*feed.world(), e.SourceChanged(source, Freshness.REFUSED, why, NOW)])
    summary = store.summaries["uid-starting"]
    assert summary.phase is Phase.UNKNOWN
    assert why in summary.reason
    assert "right" not in summary.reason


def test_a_broker_that_spoke_before_the_right_was_taken_keeps_its_last_state() -> None:
    taken = e.SourceChanged("queue:uid-flux-sample", Freshness.FORBIDDEN, "no", NOW)
    store = store_of([*feed.world(), taken])
    assert store.summaries["uid-flux-sample"].phase is Phase.UP


def test_whether_a_deleted_one_is_armed_nobody_knows() -> None:
    armed = feed.minicluster("armed")
    store = store_of([e.MiniClustersListed((armed,), NOW), e.CatalogSeen(armed.ref, (), True, NOW)])
    store.take_changes()
    assert store.summaries["uid-armed"].armed
    store.take(e.MiniClusterGone("uid-armed", NOW + 1))
    store.take_changes()
    assert not store.summaries["uid-armed"].armed


def test_the_row_of_a_migrated_minicluster_says_where_it_went() -> None:
    store = store_of(feed.world())
    store.take(e.MiniClusterMoved("uid-flux-sample", "other/night-c", NOW))
    store.take(e.MiniClusterGone("uid-flux-sample", NOW))
    store.take(e.PodsListed((), NOW))
    store.take_changes()
    said = store.summaries["uid-flux-sample"].reason
    assert said.startswith("flux-sample was migrated to other/night-c from here")


def test_archives_that_say_they_are_anothers_are_not_counted() -> None:
    store = store_of(feed.world())
    theirs = feed.entry("theirs", 1.0, {"COMPLETED": 1})
    assert theirs.manifest is not None
    theirs = replace(theirs, manifest=replace(theirs.manifest, minicluster="team-b", uid="u-b"))
    before = store.summaries["uid-flux-sample"]
    both = (theirs, *feed.catalog())
    store.take(e.CatalogSeen(feed.ref("flux-sample"), both, False, NOW))
    store.take_changes()
    after = store.summaries["uid-flux-sample"]
    assert (after.archives, after.newest_archive) == (before.archives, before.newest_archive)
    assert (after.newest_jobs, after.most_jobs) == (56, 56)
