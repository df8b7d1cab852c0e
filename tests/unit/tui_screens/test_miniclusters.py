"""The list of MiniClusters: every change is on the screen without a key press."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.live import events as e
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.tui.app import FluxstateApp
from fluxstate_tui.tui.screens.miniclusters.screen import MiniClustersScreen
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.feed import NOW
from tests.unit.tui_screens.stage import LARGE, SIZES, SMALL, make_app, screen_text, see, until

SAMPLE = feed.ref("flux-sample")


@pytest.mark.parametrize("size", SIZES)
async def test_every_minicluster_has_a_row_with_glyph_and_word(size: tuple[int, int]) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await see(pilot, "flux-sample")
        text = screen_text(app)
        for word in ("● Up", "‖ Paused", "◑ Starting", "✗ Invalid", "◌ Scheduling", "✓ Finished"):
            assert word in text
        assert "▶ started" in text
        assert "3 · 18m" in text
        assert "● live" in text
        assert "? help" in text


async def test_a_change_is_on_the_screen_without_a_key_press() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        app.services.store.take(e.MiniClusterChanged(feed.minicluster("brand-new"), NOW))
        await see(pilot, "brand-new")


async def test_the_cursor_stays_on_its_minicluster_when_others_appear() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press("down")
        app.services.store.take(e.MiniClusterChanged(feed.minicluster("aaa-first"), NOW))
        await see(pilot, "aaa-first")
        assert "▌ flux-sample" in screen_text(app)


def under_cursor(app: FluxstateApp) -> str:
    """The name of the MiniCluster that the next key goes to, '' if to none."""
    screen = app.screen_stack[0]
    assert isinstance(screen, MiniClustersScreen)
    return screen.chosen.ref.name if screen.chosen is not None else ""


def gone(app: FluxstateApp) -> None:
    store = app.services.store
    pods = store.pods_of(SAMPLE.uid)
    store.take(e.MiniClusterGone(SAMPLE.uid, NOW))
    for pod in pods:
        store.take(e.PodGone(pod.uid, NOW))


def successor() -> e.MiniClusterChanged:
    next_one = replace(feed.minicluster("flux-sample"), ref=replace(SAMPLE, uid="uid-next"))
    return e.MiniClusterChanged(next_one, NOW)


async def go_to_sample(pilot: Pilot[Any]) -> None:
    await see(pilot, "flux-sample")
    await pilot.press("home", "down")
    assert under_cursor(pilot.app) == "flux-sample"  # type: ignore[arg-type]


async def test_the_first_row_keeps_the_cursor_when_others_come_before_it() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        before = under_cursor(app)
        app.services.store.take(e.MiniClusterChanged(feed.minicluster("aaa-first"), NOW))
        await see(pilot, "aaa-first")
        assert under_cursor(app) == before


@pytest.mark.parametrize("sort", ["", "o", "O"])
@pytest.mark.parametrize("inside", [False, True], ids=["list", "queue"])
async def test_the_cursor_goes_on_to_the_successor_of_its_minicluster(
    inside: bool, sort: str
) -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await go_to_sample(pilot)
        if sort:
            await pilot.press(sort)
        if inside:
            await pilot.press("enter")
            await see(pilot, "Queue")
        gone(app)
        app.services.store.take(successor())
        app.services.store.take(e.MiniClusterChanged(feed.minicluster("aaa-first"), NOW))
        if inside:
            await pilot.press("escape")
        await see(pilot, "aaa-first")
        await until(pilot, lambda: "uid-next" in app.services.store.summaries)
        await until(pilot, lambda: under_cursor(app) == "flux-sample")


async def test_the_cursor_comes_back_when_a_filter_that_matched_nothing_is_left() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await go_to_sample(pilot)
        await pilot.press("/", *"zzz")
        await see(pilot, "No row passes the filter")
        assert under_cursor(app) == ""
        await pilot.press("escape")
        await until(pilot, lambda: under_cursor(app) == "flux-sample")


async def test_the_cursor_comes_back_from_a_filter_and_stays_with_what_was_chosen_in_one() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await go_to_sample(pilot)
        await pilot.press("/", *"lammps")
        await until(pilot, lambda: under_cursor(app) == "lammps-nightly")
        await pilot.press("escape")
        await until(pilot, lambda: under_cursor(app) == "flux-sample")
        await pilot.press("/", *"lammps", "enter")
        await pilot.press("ctrl+l")
        await until(pilot, lambda: len(app.services.store.summaries) == 6)
        await see(pilot, "flux-sample")
        assert under_cursor(app) == "lammps-nightly"


async def test_no_key_goes_to_another_when_what_was_chosen_leaves_the_list() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await go_to_sample(pilot)
        await pilot.press("/", *"state:up", "enter")
        await until(pilot, lambda: "lammps-nightly" not in screen_text(app))
        store = app.services.store
        other = feed.running_cluster("another", 4, feed.jobs(1, 1, 1))
        for event in other:
            store.take(event)
        await see(pilot, "another")
        store.take(e.MiniClusterGone(SAMPLE.uid, NOW))
        await see(pilot, "not in the list any more")
        assert under_cursor(app) == ""
        await pilot.press("p", "d")
        await pilot.pause()
        assert len(app.screen_stack) == 1
        await pilot.press("down")
        await until(pilot, lambda: under_cursor(app) == "another")


@pytest.mark.parametrize("inside", [False, True], ids=["list", "queue"])
async def test_a_deleted_one_makes_room_for_its_successor_when_its_last_pod_is_gone(
    inside: bool,
) -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        store = app.services.store
        pods = store.pods_of(SAMPLE.uid)
        store.take(e.MiniClusterGone(SAMPLE.uid, NOW))
        successor = replace(feed.minicluster("flux-sample"), ref=replace(SAMPLE, uid="uid-next"))
        store.take(e.MiniClusterChanged(successor, NOW))
        await see(pilot, "▽ Deleting")
        if inside:
            await pilot.press("enter")
            await see(pilot, "Queue")
        for pod in pods:
            store.take(e.PodGone(pod.uid, NOW))
        app._tick()  # before the screen was told of the pods
        if inside:
            await pilot.press("escape")
        await until(pilot, lambda: screen_text(app).count(" flux-sample ") == 1)
        assert "▽ Deleting" not in screen_text(app)


async def test_a_queue_that_cannot_be_read_shows_how_old_its_numbers_are() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "▶ started")
        source = f"queue:{SAMPLE.uid}"
        app.services.store.take(e.SourceChanged(source, Freshness.STALE, "cut", NOW - 180))
        await see(pilot, "? 3m")


async def test_a_cluster_that_goes_away_leaves_the_last_picture_marked_stale_with_its_age() -> None:
    app = make_app()
    async with app.run_test(size=LARGE) as pilot:
        await see(pilot, "● live")
        lost = e.SourceChanged("pods", Freshness.STALE, "connection refused", NOW - 42)
        app.services.store.take(lost)
        await see(pilot, "▲ stale 42s · connection refused")
        assert "flux-sample" in screen_text(app)


async def test_a_long_detail_never_pushes_the_title_away() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "enter")
        long = "Container 'gpu-test' of the lead pod gpu-test-0-x7k2q does not run. " * 3
        app.services.store.take(e.SourceChanged("pods", Freshness.STALE, long, NOW - 42))
        await see(pilot, "▲ stale 42s")
        assert "fluxstate  kind-dev · default › flux-sample" in screen_text(app)


async def test_a_missing_right_is_named() -> None:
    app = make_app()
    async with app.run_test(size=LARGE) as pilot:
        forbidden = e.SourceChanged("pods", Freshness.FORBIDDEN, "you may not list pods", NOW)
        app.services.store.take(forbidden)
        await see(pilot, "✗ no right to read pods · you may not list pods")


async def test_no_minicluster_at_all_says_what_to_do_next() -> None:
    app = make_app([e.SourceChanged("miniclusters", Freshness.LIVE, "", NOW)])
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "No MiniCluster here.")
        await see(pilot, "kubectl apply")


async def test_before_the_first_answer_it_says_connecting() -> None:
    app = make_app([])
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "Connecting …")


async def test_an_error_at_the_start_is_explained_and_can_be_tried_again() -> None:
    tries: list[int] = []

    async def start() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise FluxstateError("no kubeconfig was found", advice="name one with --kubeconfig")
        app.services.store.take(e.MiniClusterChanged(feed.minicluster("back-again"), NOW))

    app = make_app([], start=start)
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "no kubeconfig was found")
        await see(pilot, "do: name one with --kubeconfig")
        assert "✗ not connected" in screen_text(app)
        await pilot.press("ctrl+r")
        await see(pilot, "back-again")
        assert "not connected" not in screen_text(app)


async def test_a_bug_in_a_feed_does_not_end_the_dashboard() -> None:
    async def start() -> None:
        raise KeyError("oops")

    app = make_app(start=start)
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "not connected")
        assert "flux-sample" in screen_text(app)


async def test_x_shows_the_evidence() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "x")
        await see(pilot, "EVIDENCE")
        await see(pilot, "broker: run")
        await pilot.press("x")
        await until(pilot, lambda: "EVIDENCE" not in screen_text(app))


async def test_letters_typed_ahead_of_the_filter_line_are_written_there() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        for key, letter in (("slash", "/"), ("q", "q"), ("minus", "-"), ("s", "s")):
            app.post_message(events.Key(key, letter))
        await until(pilot, lambda: "q-s" in screen_text(app))


async def test_a_filter_narrows_the_list_and_a_mistake_is_explained() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "too-large")
        await pilot.press("slash", *"state:up")
        await until(pilot, lambda: "too-large" not in screen_text(app))
        assert "1 of 6" in screen_text(app)
        await pilot.press("backspace", "backspace", "backspace", *"x:", "z")
        await see(pilot, "There is no field")
        await pilot.press("escape")
        await see(pilot, "too-large")


async def test_an_empty_list_does_not_blame_a_filter_that_has_a_mistake() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "too-large")
        await pilot.press("slash", *"zzz")
        await see(pilot, "No row passes the filter.")
        await pilot.press(*" x:y")
        await see(pilot, "The filter has a mistake.")
        await see(pilot, "There is no field 'x'. Fields: ")
        assert "No row passes" not in screen_text(app)


async def test_sorting_goes_through_the_columns() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "NAME▲")
        await pilot.press("o")
        await see(pilot, "STATE▲")
        await pilot.press("O")
        await see(pilot, "STATE▼")


async def test_keys_that_cannot_work_are_grey_and_do_nothing() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "done-last-we")
        await pilot.press("s", "p", "n")
        await pilot.pause()
        assert len(app.screen_stack) == 1


async def test_read_only_greys_every_key_that_changes_something() -> None:
    app = make_app(read_only=True)
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "read-only")
        await pilot.press("down", "s", "p", "d", "r", "n")
        await pilot.pause()
        assert len(app.screen_stack) == 1


async def test_a_deleted_minicluster_stays_as_its_last_picture_and_can_be_restored() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down")
        store = app.services.store
        store.take(e.MiniClusterGone(SAMPLE.uid, NOW))
        await see(pilot, "▽ Deleting")
        for index in range(4):
            store.take(e.PodGone(f"pod-flux-sample-{index}", NOW))
        await see(pilot, "○ Deleted")
        await pilot.press("r")
        await see(pilot, "Restore flux-sample")


HOSTILE = ("[/foo]", "\x1b[2J\x1b]0;x\x07", "a\nb", "👩‍🚀日本", "[bold]", "x" * 1_000_000, "\ud800")


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:8]))
async def test_hostile_names_and_reasons_look_like_themselves(text: str) -> None:
    app = make_app()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        evil = feed.minicluster("flux-sample")
        evil = replace(evil, ref=replace(evil.ref, name=text, uid="evil"))
        store = app.services.store
        store.take(e.MiniClusterChanged(evil, NOW))
        store.take(e.SourceChanged("pods", Freshness.STALE, text, NOW))
        app.tell(text, text, "error")
        await pilot.press("home", "x", "enter", "escape", "d", "escape")
        await pilot.pause()
        assert "\x1b" not in screen_text(app)
        assert app.is_running


async def test_a_grey_key_that_is_pressed_says_why_it_does_nothing() -> None:
    app = make_app()
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await pilot.press("p")
        await see(pilot, "Not now: pause")
        await see(pilot, "done-last-week is Finished")
        await pilot.press("down", "slash", "p")
        await see(pilot, "p")
        assert len(app.screen_stack) == 1


async def test_sorting_goes_on_when_the_column_sorted_by_was_hidden() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "NAME▲")
        await pilot.press("C")
        await see(pilot, "Columns")
        await pilot.press("space", "enter")
        await until(pilot, lambda: "NAME" not in screen_text(app))
        await pilot.press("o")
        await see(pilot, "STATE▲")
