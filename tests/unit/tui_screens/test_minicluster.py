"""Inside one MiniCluster: the live queue, pods, nodes, archives and events."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fluxstate_tui.flux.job import JobException, JobResult, JobState
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.flux.queue import Node
from fluxstate_tui.live import events
from fluxstate_tui.live.actions import JobDetail, OutputLine
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.tui.screens.minicluster.queue import QueueView
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.feed import NOW
from tests.unit.tui_screens.rehearsal import RehearsedActions
from tests.unit.tui_screens.stage import LARGE, SIZES, SMALL, make_app, screen_text, see, until

SAMPLE = feed.ref("flux-sample")


@pytest.mark.parametrize("size", SIZES)
async def test_enter_goes_in_and_escape_goes_back(size: tuple[int, int]) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await pilot.press("down", "enter")
        await see(pilot, "› flux-sample")
        await see(pilot, "12 pending")
        await see(pilot, "◌ SCHED")
        await pilot.press("escape")
        await see(pilot, "done-last-we")


async def test_a_job_that_starts_is_seen_to_run_without_a_key_press() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "enter")
        await see(pilot, "12 pending")
        newest = feed.job(75, JobState.RUN)
        app.services.store.take(events.JobsChanged(SAMPLE, (newest,), NOW))
        await see(pilot, "11 pending")
        line = next(x for x in screen_text(app).splitlines() if f58(newest.id) in x)
        assert "▶ RUN" in line


async def test_active_jobs_stand_above_those_that_are_over() -> None:
    app = make_app()
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("down", "enter")
        await see(pilot, "12 pending")
        text = screen_text(app)
        assert text.index("▶ RUN") < text.index("◌ SCHED") < text.index("✓ COMPLETED")


async def test_new_jobs_come_first_and_the_cursor_keeps_its_job() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "enter")
        await see(pilot, "12 pending")
        await pilot.press("down", "down")
        kept = f58(feed.job(61).id)
        new = (feed.job(900, JobState.RUN), feed.job(901, JobState.RUN))
        app.services.store.take(events.JobsChanged(SAMPLE, new, NOW))
        await see(pilot, f58(new[1].id))
        assert f"▌ {kept}" in screen_text(app)


async def test_a_key_goes_to_the_job_that_was_first_when_the_list_was_shown() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "enter")
        await see(pilot, "12 pending")
        queue = app.screen.query_one(QueueView)
        (first,) = queue.job_targets()
        new = (feed.job(900, JobState.RUN), feed.job(901, JobState.RUN))
        app.services.store.take(events.JobsChanged(SAMPLE, new, NOW))
        await see(pilot, f58(new[1].id))
        assert [job.id for job in queue.job_targets()] == [first.id]
        assert f"▌ {f58(first.id)}" in screen_text(app)


async def test_no_key_goes_to_another_job_when_the_one_under_the_cursor_is_gone() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "enter")
        await see(pilot, "12 pending")
        queue = app.screen.query_one(QueueView)
        picture = app.services.store.clusters[SAMPLE.uid]
        (first,) = queue.job_targets()
        left = {id: job for id, job in picture.jobs.items() if id != first.id}
        app.services.store.take(events.JobsListed(SAMPLE, left, NOW))
        await until(pilot, lambda: f58(first.id) not in screen_text(app))
        assert queue.job_targets() == ()
        await pilot.press("down")
        assert len(queue.job_targets()) == 1


async def test_a_screen_is_told_every_change_once() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "enter")
        await see(pilot, "12 pending")
        assert len(app.services.notices) == len(app.screen_stack) == 2
        await pilot.press("escape")
        await until(pilot, lambda: len(app.services.notices) == 1)


async def test_a_stale_queue_says_as_of_when() -> None:
    app = make_app()
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("down", "enter")
        await see(pilot, "▶ started")
        source = f"queue:{SAMPLE.uid}"
        app.services.store.take(events.SourceChanged(source, Freshness.STALE, "cut", NOW - 60))
        await see(pilot, "as of 60s ago")
        await see(pilot, "▲ stale 60s · cut")


async def test_the_fall_back_of_the_stream_is_visible_in_the_header() -> None:
    app = make_app()
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("down", "enter")
        source = f"queue:{SAMPLE.uid}"
        polling = events.SourceChanged(source, Freshness.LIVE, "polling, flux-core 0.66", NOW)
        app.services.store.take(polling)
        await see(pilot, "● live · polling, flux-core 0.66")


async def test_a_failed_job_says_how_it_ended() -> None:
    app = make_app()
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("down", "enter")
        await see(pilot, "12 pending")
        note = JobException("exec", 0, "task 0: No such file [/foo]")
        bad = feed.job(75, JobState.INACTIVE, result=JobResult.FAILED, exception=note)
        app.services.store.take(events.JobsChanged(SAMPLE, (bad,), NOW))
        await see(pilot, "exec: task 0: No such file [/foo]")


@pytest.mark.parametrize("size", SIZES)
async def test_numbers_and_arrows_turn_the_tabs(size: tuple[int, int]) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await pilot.press("down", "enter", "2")
        await see(pilot, "0 lead")
        await pilot.press("right")
        await see(pilot, "17 of 32 cores busy")
        await pilot.press("4")
        await see(pilot, "20261121-201500-flux-sample")
        await see(pilot, "? unverified")
        await pilot.press("5")
        await see(pilot, "▲ Warning")
        await pilot.press("right")
        await see(pilot, "[1 Queue]")


async def test_lost_and_drained_nodes_are_said_in_words() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "enter", "3")
        up, lost = Node(0, "flux-sample-0", 8), Node(1, "flux-sample-1", 8, up=False)
        drained = Node(2, "flux-sample-2", 8, drained=True, reason="bad disk")
        seen = events.QueuesSeen(SAMPLE, (), (up, lost, drained), NOW)
        app.services.store.take(seen)
        await see(pilot, "✗ lost")
        await see(pilot, "▽ drained")
        await see(pilot, "bad disk")


async def test_a_thousand_nodes_fit_the_terminal_as_one_glyph_each() -> None:
    app = make_app()
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("down", "enter", "3")
        nodes = tuple(Node(rank, f"n{rank}", 64) for rank in range(1000))
        app.services.store.take(events.QueuesSeen(SAMPLE, (), nodes, NOW))
        await see(pilot, "□ free")
        await see(pilot, "1000 of 1000 nodes up")
        assert screen_text(app).count("□") > 990


async def test_a_minicluster_made_again_is_shown_on_under_its_name() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "enter")
        await see(pilot, "12 pending")
        store = app.services.store
        store.take(events.MiniClusterGone(SAMPLE.uid, NOW))
        for index in range(4):
            store.take(events.PodGone(f"pod-flux-sample-{index}", NOW))
        again = feed.minicluster("flux-sample", uid="uid-again")
        store.take(events.MiniClusterChanged(again, NOW))
        store.take(events.JobsListed(again.ref, feed.by_id(feed.jobs(7, 0, 0)), NOW))
        await see(pilot, "7 pending")


async def test_a_job_shows_its_life_its_output_and_its_events() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "enter", "enter")
        await see(pilot, "command    sleep 30")
        await see(pilot, "LIFE")
        await see(pilot, "hello")
        await see(pilot, "submit")
        await pilot.press("escape")
        await see(pilot, "[1 Queue]")


async def test_hostile_output_looks_like_itself() -> None:
    actions = RehearsedActions()
    text = "[/red] \x1b[2J\x07 日本\n" + "y" * 1_000_000
    actions.detail = JobDetail(output=(OutputLine("stdout", "0", text),))
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "enter", "enter")
        await see(pilot, "are not shown")
        assert app.is_running


async def test_hostile_job_fields_look_like_themselves() -> None:
    evil = "[/foo]\n\x1b[2J👩‍🚀\ud800" + "z" * 100_000
    bad = replace(
        feed.job(900, JobState.RUN),
        name=evil,
        queue=evil,
        nodelist=evil,
        exception=JobException(evil, 0, evil),
    )
    app = make_app()
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("down", "enter")
        app.services.store.take(events.JobsChanged(SAMPLE, (bad,), NOW))
        await see(pilot, "[/foo]␊")
        await pilot.press("home", "enter")
        await see(pilot, "exception")
        assert "\x1b" not in screen_text(app)


async def test_cancelling_jobs_asks_first_and_no_is_the_default() -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "enter", "space", "space", "c")
        await see(pilot, "Cancel 2 jobs of flux-sample?")
        await pilot.press("enter")
        await pilot.pause()
        assert actions.asked == []
        await pilot.press("c", "down", "enter")
        await until(pilot, lambda: bool(actions.asked))
        verb, ids = actions.asked[0]
        assert verb == "cancel"
        assert len(ids) == 2  # type: ignore[arg-type]


async def test_a_waiting_job_is_held_and_released_and_a_running_one_is_not() -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await pilot.press("down", "enter")
        await see(pilot, "12 pending")
        await pilot.press("h")
        await pilot.pause()
        assert actions.asked == []
        waiting = feed.job(75)
        await pilot.press(*["down"] * 6)
        await see(pilot, f"▌ {f58(waiting.id)}")
        await pilot.press("h")
        await see(pilot, "read back")
        app.services.store.take(events.JobsChanged(SAMPLE, (replace(waiting, urgency=0),), NOW))
        await see(pilot, "held")
        await pilot.press("h")
        await until(pilot, lambda: actions.asked[-1][0] == "release")


async def test_jobs_are_grouped_and_a_group_opens_as_a_filter() -> None:
    app = make_app()
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("down", "enter")
        await see(pilot, "12 pending")
        await pilot.press("g")
        await see(pilot, "by state")
        await see(pilot, "GROUP")
        line = next(x for x in screen_text(app).splitlines() if " SCHED" in x)
        assert line.split()[-5:] == ["10", "10", "0", "0", "0"]
        await pilot.press("g", "g", "g")
        await see(pilot, "by name")
        await pilot.press("enter")
        await see(pilot, "name:")
        await until(pilot, lambda: "GROUP" not in screen_text(app))
        await see(pilot, " of 76")


async def test_a_terminal_of_40x10_still_works() -> None:
    app = make_app()
    async with app.run_test(size=(40, 10)) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press("down", "enter")
        await see(pilot, "▶ RUN")
        await pilot.press("question_mark")
        await see(pilot, "Help")
        await pilot.press("escape", "d")
        await see(pilot, "Save first")
        await pilot.press("enter")
        await see(pilot, "flux-sample to go ahead")


@pytest.mark.parametrize("size", SIZES)
async def test_the_cluster_at_a_glance(size: tuple[int, int]) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await pilot.press("down", "enter", "3")
        await see(pilot, "Throughput is known after a few seconds.")
        await see(pilot, "Idle in about")
        await see(pilot, "by time limit")
        await see(pilot, "by history of the same name")
        store = app.services.store
        store.tick(NOW)
        store.tick(NOW + 60)
        ended = tuple(feed.job(n, JobState.INACTIVE) for n in (65, 66))
        store.take(events.JobsChanged(SAMPLE, ended, NOW + 60))
        store.tick(NOW + 120)
        await see(pilot, "1.0 jobs ended per minute over the last 2m")
        await see(pilot, " done")
        lost = tuple(Node(rank, f"n{rank}", 8, up=rank not in (1, 2)) for rank in range(4))
        store.take(events.QueuesSeen(SAMPLE, (), lost, NOW))
        await see(pilot, "Ranks 1-2 are lost: no broker answers there")


async def test_ranks_that_it_may_grow_to_are_not_called_lost() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "enter", "3")
        nodes = tuple(Node(rank, f"n{rank}", 8, up=rank < 4) for rank in range(6))
        app.services.store.take(events.QueuesSeen(SAMPLE, (), nodes, NOW))
        await see(pilot, "Ranks 4-5 have no pod: its size is 4, and it may grow.")
        await see(pilot, "4 of 4 nodes up")
        await see(pilot, "17 of 32 cores busy")
        assert "lost" not in screen_text(app)


async def test_a_job_in_a_stopped_queue_does_not_wait_for_resources() -> None:
    app = make_app(feed.world())
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "down", "enter")
        await see(pilot, "queue is stopped")
        assert "waits for resources" not in screen_text(app)
        await pilot.press("3")
        await see(pilot, "Nothing runs now.")
