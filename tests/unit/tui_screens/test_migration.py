"""`m`: to another size, name, namespace, context or image, with both sides on the screen."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.pilot import Pilot

from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.live import events
from fluxstate_tui.live.store import Store
from fluxstate_tui.minicluster.phase import derive
from fluxstate_tui.operations.base import Choices, Running
from fluxstate_tui.tui.app import FluxstateApp
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.rehearsal import RehearsedActions
from tests.unit.tui_screens.stage import SIZES, SMALL, make_app, screen_text, see, until


async def planned(pilot: Pilot[Any], *keys: str) -> None:
    """To the plan of another name, `bigger`, with those keys in the form."""
    await pilot.press("down", "m")
    await see(pilot, "Say what shall change.")
    await pilot.press(*keys, "tab", *"bigger", "enter")
    await see(pilot, "Migrate it?")


def arrive(store: Store, name: str, jobs: tuple[Job, ...], uid: str) -> None:
    """A MiniCluster comes, and its jobs are read."""
    store.take(events.MiniClusterChanged(feed.minicluster(name, 5, age=0, uid=uid), feed.NOW))
    reference = feed.ref(name, uid)
    store.take(events.JobsListed(reference, feed.by_id(jobs), feed.NOW))


@pytest.mark.parametrize("size", SIZES)
async def test_the_form_says_how_it_goes_and_the_plan_gets_what_was_chosen(
    size: tuple[int, int],
) -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=size) as pilot:
        await pilot.press("down", "m")
        await see(pilot, "Say what shall change.")
        await pilot.press("plus")
        await see(pilot, "is saved and deleted first")
        await pilot.press("tab", *"bigger")
        await see(pilot, "Created beside")
        await pilot.press("tab", "tab", "tab", "tab", "down")
        await see(pilot, "cancel them")
        await pilot.press("enter")
        await see(pilot, "Migrate it?")
        wanted = Choices(running=Running.CANCEL, size=5, to_name="bigger")
        assert actions.asked == [("migrate", wanted)]


async def test_without_a_change_there_is_no_plan_and_one_node_is_the_least() -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "m", "enter")
        await see(pilot, "Say what shall change.")
        await pilot.press(*["minus"] * 5)
        await see(pilot, "is saved and deleted first")
        await pilot.press("end", "backspace")
        await see(pilot, "1 or more")
        await pilot.press("enter", "escape")
        assert actions.asked == []


async def test_contexts_and_their_namespaces_are_gone_through_with_the_arrow_keys() -> None:
    actions = RehearsedActions()
    actions.other_contexts["kind-prod"] = ("default", "physics")
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "m")
        await see(pilot, "2 known")
        await pilot.press("tab", "tab", "tab", "down")
        await see(pilot, "kind-prod")
        await pilot.press("shift+tab", "up")
        await until(pilot, lambda: "physics" in screen_text(app))
        await pilot.press("enter")
        await see(pilot, "Migrate it?")
        await see(pilot, "kind-prod/physics")
        assert actions.asked == [
            ("migrate", Choices(size=4, to_namespace="physics", to_context="kind-prod"))
        ]


@pytest.mark.parametrize("size", SIZES)
async def test_both_sides_are_seen_and_jobs_arrive(size: tuple[int, int]) -> None:
    actions = RehearsedActions()
    actions.gate = asyncio.Event()
    app = make_app(actions=actions)
    async with app.run_test(size=size) as pilot:
        await planned(pilot)
        await see(pilot, "○ not there yet")
        await pilot.press("right", "enter")
        await see(pilot, "▶ Verify the archive")
        old = app.services.store.clusters["uid-flux-sample"]
        assert f"0 of {len(old.jobs)} arrived" in screen_text(app)
        jobs = tuple(old.jobs.values())
        arrive(app.services.store, "bigger", jobs[:3], "uid-new")
        await see(pilot, f"3 of {len(jobs)} arrived: ƒ")
        assert "░" in screen_text(app)
        arrive(app.services.store, "bigger", jobs, "uid-new")
        await see(pilot, f"{len(jobs)} of {len(jobs)} arrived")
        actions.gate.set()
        await see(pilot, "✓ Completed")
        await see(pilot, "Account  ✓ read back: Account for every job")


async def test_another_context_is_shown_by_its_own_store() -> None:
    actions = RehearsedActions()
    actions.gate = asyncio.Event()
    actions.there = Store(derive)
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await planned(pilot)
        await pilot.press("right", "enter")
        await see(pilot, "▶ Verify the archive")
        jobs = (feed.job(1, JobState.SCHED),)
        arrive(actions.there, "bigger", jobs, "uid-far-away")
        await see(pilot, "1 of ")
        assert "uid-far-away" not in app.services.store.clusters
        actions.gate.set()
        await see(pilot, "✓ Completed")


async def to_the_question(pilot: Pilot[Any], app: FluxstateApp) -> None:
    await planned(pilot)
    await pilot.press("right", "enter")
    await see(pilot, "▶ Verify the archive")
    await pilot.press("escape")
    await see(pilot, "migrate flux-sample is running")


async def test_escape_asks_says_what_would_be_where_and_stops_it() -> None:
    actions = RehearsedActions()
    actions.gate = asyncio.Event()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await to_the_question(pilot, app)
        assert "the old one goes on as it was, with every job" in screen_text(app)
        await pilot.press("enter")  # the safe answer is to go on
        await pilot.pause()
        assert not actions.gate.is_set()
        await pilot.press("escape", "down", "down", "enter")
        await see(pilot, "⊘ Cancelled")


async def test_it_can_be_left_and_is_seen_again_with_both_sides() -> None:
    actions = RehearsedActions()
    actions.gate = asyncio.Event()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await to_the_question(pilot, app)
        await pilot.press("down", "enter")
        await see(pilot, "migrate flux-sample: step 1 of 5")
        await pilot.press("m")
        await see(pilot, "to bigger")
        actions.gate.set()
        await see(pilot, "✓ Completed")


async def test_under_the_same_name_the_old_one_stays_in_sight_when_the_new_one_comes() -> None:
    actions = RehearsedActions()
    actions.gate = asyncio.Event()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "m")
        await see(pilot, "Say what shall change.")
        await pilot.press("plus", "enter")
        await see(pilot, "Migrate it?")
        await pilot.press("right", "enter")
        await see(pilot, "▶ Verify the archive")
        store = app.services.store
        jobs = tuple(store.clusters["uid-flux-sample"].jobs.values())
        store.take(events.MiniClusterGone("uid-flux-sample", feed.NOW))
        store.take(events.PodsListed((), feed.NOW))
        arrive(store, "flux-sample", jobs, "uid-new")
        await see(pilot, f"{len(jobs)} of {len(jobs)} arrived")
        assert "uid-flux-sample" not in store.clusters
        assert f"{len(jobs)} jobs" in screen_text(app)
        store.take(events.MiniClusterGone("uid-new", feed.NOW))
        arrive(store, "flux-sample", jobs[:1], "uid-restored")
        await see(pilot, "1 job, ")  # it was stopped: the old one is there again
        actions.gate.set()
        await see(pilot, "✓ Completed")
