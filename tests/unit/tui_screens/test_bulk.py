"""Marked MiniClusters: one plan, one consent, a line and an outcome for each."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.pilot import Pilot

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import Choices, Consent, ConsentKind, Running
from fluxstate_tui.operations.lease import Holder
from fluxstate_tui.tui.app import FluxstateApp
from tests.unit.tui_screens import rehearsal
from tests.unit.tui_screens.feed import NOW
from tests.unit.tui_screens.rehearsal import RehearsedActions
from tests.unit.tui_screens.stage import SIZES, SMALL, make_app, screen_text, see


@pytest.fixture
def actions(monkeypatch: pytest.MonkeyPatch) -> RehearsedActions:
    """Operations that wait until the test lets them go on; nothing is lost by them."""
    nothing = Consent(ConsentKind.CONFIRM, "Save it?")
    monkeypatch.setitem(rehearsal.CONSENT, "delete", nothing)
    made = RehearsedActions()
    made.gate = asyncio.Event()
    return made


async def mark_two(pilot: Pilot[Any]) -> None:
    """`flux-sample` and `lammps-nightly`, both of which answer."""
    await see(pilot, "lammps-nightly")
    await pilot.press("down", "space", "space")
    await see(pilot, "2 marked  flux-sample, lammps-nightly")


async def agreed(pilot: Pilot[Any]) -> None:
    await mark_two(pilot)
    await pilot.press("s")
    await see(pilot, "6 jobs running in all")
    await pilot.press("enter")
    await see(pilot, "Save 2 MiniClusters? No job is lost.")
    await pilot.press("right", "enter")
    await see(pilot, "▶ 2 to go")


async def test_other_keys_do_not_act_on_what_is_marked() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await mark_two(pilot)
        await pilot.press("p", "r", "m", "n")
        await pilot.pause()
        assert len(app.screen_stack) == 1
        await pilot.press("ctrl+l")
        await see(pilot, "● Up")
        assert "marked" not in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_one_plan_lists_each_and_one_yes_starts_them_one_after_the_other(
    size: tuple[int, int], actions: RehearsedActions
) -> None:
    app = make_app(actions=actions)
    async with app.run_test(size=size) as pilot:
        await agreed(pilot)
        text = screen_text(app)
        assert "one after the other" in text
        assert "▶ running" in text
        assert "◌ waits" in text
        assert actions.gate is not None
        actions.gate.set()
        await see(pilot, "✓ 2 Completed")
        assert "to go" not in screen_text(app)
        assert app.services.runs.keys() == {"uid-flux-sample", "uid-lammps-nightly"}


@pytest.mark.parametrize("size", SIZES)
async def test_another_operators_lock_is_in_the_line_of_the_plan(
    size: tuple[int, int], actions: RehearsedActions
) -> None:
    actions.holders = [Holder("ana@laptop", "save", NOW - 50, NOW - 3, 30.0, ("uid", "7"))]
    app = make_app(actions=actions)
    async with app.run_test(size=size) as pilot:
        await mark_two(pilot)
        await pilot.press("s")
        await see(pilot, "6 jobs running in all")
        await pilot.press("enter")
        await see(pilot, "Save 2 MiniClusters? No job is lost.")
        text = screen_text(app)
        assert text.count("○ planned") == 1
        assert "ana@laptop works on it: save" in text
        assert "1 locked by another operator" in text
        assert "! locked" in text


async def test_a_loss_comes_before_the_lock(
    actions: RehearsedActions, monkeypatch: pytest.MonkeyPatch
) -> None:
    loses = Consent(ConsentKind.TYPE_NAME, "LOST: 3 pending", "flux-sample", 3)
    monkeypatch.setitem(rehearsal.CONSENT, "save", loses)
    actions.holders = [Holder("ana@laptop", "save", NOW - 50, NOW - 3, 30.0, ("uid", "7"))]
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await mark_two(pilot)
        await pilot.press("s")
        await see(pilot, "6 jobs running in all")
        await pilot.press("enter")
        await see(pilot, "! locked")
        assert screen_text(app).count("loses 3 jobs: LOST") == 2


async def test_a_lock_that_cannot_be_read_does_not_stop_the_plan(
    actions: RehearsedActions, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def trouble(ref: ClusterRef) -> Holder | None:
        raise FluxstateError("the API server does not answer")

    monkeypatch.setattr(actions, "holder", trouble)
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await mark_two(pilot)
        await pilot.press("s")
        await see(pilot, "6 jobs running in all")
        await pilot.press("enter")
        await see(pilot, "Save 2 MiniClusters? No job is lost.")
        assert "2 of 2 MiniClusters possible" in screen_text(app)


async def test_side_by_side_is_chosen_before_it_starts(actions: RehearsedActions) -> None:
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await mark_two(pilot)
        await pilot.press("d")
        await see(pilot, "Save first, then delete")
        await pilot.press("down", "enter")
        await see(pilot, "Delete 2 MiniClusters?")
        wanted = Choices(save_first=True, running=Running.CANCEL)
        assert actions.asked == [("delete", wanted)] * 2
        await pilot.press("plus", "plus")
        await see(pilot, "2 at the same time")
        await pilot.press("right", "enter")
        await see(pilot, "▶ 2 to go")
        assert "◌ waits" not in screen_text(app)


async def test_what_cannot_be_done_is_said_and_does_not_stop_the_others(
    actions: RehearsedActions,
) -> None:
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "lammps-nightly")
        await pilot.press("asterisk")
        await see(pilot, "6 marked")
        await pilot.press("s")
        await see(pilot, "running in all")
        await pilot.press("enter")
        await see(pilot, "2 of 6 MiniClusters possible")
        await see(pilot, "✗ not possible done-last-week: done-last-week is Finished: its Flux")
        await pilot.press("right", "enter")
        assert actions.gate is not None
        actions.gate.set()
        await see(pilot, "✓ 2 Completed  ✗ 4 not possible")


async def test_the_consent_is_sized_by_the_sum_of_what_would_be_lost(
    actions: RehearsedActions, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Consent(ConsentKind.TYPE_NAME, "Deleting it loses 7 jobs.", "flux-sample", 7)
    monkeypatch.setitem(rehearsal.CONSENT, "delete", lost)
    actions.gate = None
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await mark_two(pilot)
        await pilot.press("d")
        await see(pilot, "Delete without saving")
        await pilot.press("end", "enter")
        await see(pilot, "To delete 2 MiniClusters loses 14 jobs in all.")
        await see(pilot, "Type delete 2 to go ahead.")
        await pilot.press(*"delete", "enter")
        await pilot.pause()
        assert app.services.runs == {}
        await pilot.press("space", "2", "enter")
        await see(pilot, "✓ 2 Completed")


async def stopping(pilot: Pilot[Any], app: FluxstateApp, *keys: str) -> None:
    await agreed(pilot)
    await pilot.press("escape")
    await see(pilot, "1 MiniCluster not begun.")
    assert "▶ save flux-sample: step 1 of 6" in screen_text(app)
    await pilot.press(*keys)


async def test_beginning_no_more_lets_what_runs_go_on_to_its_end(
    actions: RehearsedActions,
) -> None:
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await stopping(pilot, app, "down", "down", "enter")
        assert actions.gate is not None
        actions.gate.set()
        await see(pilot, "✓ 1 Completed  ⊘ 1 Cancelled")
        await see(pilot, "cancelled before it was begun")


async def test_stopping_all_puts_back_what_runs(actions: RehearsedActions) -> None:
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await stopping(pilot, app, "end", "enter")
        await see(pilot, "⊘ 2 Cancelled")


async def test_each_can_be_opened_and_the_whole_is_found_again(actions: RehearsedActions) -> None:
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await agreed(pilot)
        await pilot.press("enter")
        await see(pilot, "$ flux queue stop --all")
        await pilot.press("escape", "escape")
        await see(pilot, "1 MiniCluster not begun.")
        await pilot.press("down", "enter")
        await pilot.press("home", "down")
        await see(pilot, "save flux-sample: step 1 of 6")
        await pilot.press("b")
        await see(pilot, "▶ 2 to go")
        assert actions.gate is not None
        actions.gate.set()
        await see(pilot, "✓ 2 Completed")
        await pilot.press("down", "enter")
        await see(pilot, "✓ Completed  save is complete.")
