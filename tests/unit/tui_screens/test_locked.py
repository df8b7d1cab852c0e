"""Two operators at once: the second sees who and what, and waits, breaks the lock, or leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fluxstate_tui.live.events import ServerClockSeen
from fluxstate_tui.operations.lease import Holder
from fluxstate_tui.tui.screens.operation import locked
from tests.unit.tui_screens.feed import NOW
from tests.unit.tui_screens.rehearsal import RehearsedActions
from tests.unit.tui_screens.stage import SIZES, SMALL, make_app, screen_text, see

ANA = Holder("ana@laptop", "save", NOW - 50, NOW - 3, 30.0, ("uid", "7"))


@pytest.fixture
def actions(monkeypatch: pytest.MonkeyPatch) -> RehearsedActions:
    monkeypatch.setattr(locked, "LOOK_AGAIN", 0.05)
    made = RehearsedActions()
    made.holders = [ANA, ANA, ANA]
    return made


@pytest.mark.parametrize("size", SIZES)
async def test_it_is_said_who_works_on_what_and_since_when(
    actions: RehearsedActions, size: tuple[int, int]
) -> None:
    app = make_app(actions=actions)
    async with app.run_test(size=size) as pilot:
        await pilot.press("down", "p")
        await see(pilot, "ana@laptop works on this MiniCluster: save")
        assert "50s ago; last sign of life 3s ago" in screen_text(app)
        assert actions.asked == []


async def test_its_age_is_by_the_servers_clock_as_its_times_are(
    actions: RehearsedActions,
) -> None:
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        app.services.store.take(ServerClockSeen(offset=3600.0, rate=1.0, at=NOW))
        actions.holders = [replace(ANA, since=NOW + 3600 - 50, renewed=NOW + 3600 - 3)]
        await pilot.press("down", "p")
        await see(pilot, "50s ago; last sign of life 3s ago")


async def test_waiting_makes_the_plan_when_the_other_is_done(actions: RehearsedActions) -> None:
    actions.holders = [ANA] * 10_000
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "p")
        await see(pilot, "flux-sample is locked")
        await pilot.press("enter")
        await see(pilot, "Waiting for ana@laptop: save for 50s")
        actions.holders.clear()
        await see(pilot, "✓ Completed")
        assert [what for what, _ in actions.asked] == ["pause"]


async def test_breaking_it_wants_the_name_typed(actions: RehearsedActions) -> None:
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "p")
        await see(pilot, "flux-sample is locked")
        await pilot.press("down", "enter")
        await see(pilot, "Type flux-sample to break it.")
        await pilot.press(*"flux", "enter")
        assert actions.asked == []
        await pilot.press("minus", *"sample", "enter")
        await see(pilot, "✓ Completed")
        assert [what for what, _ in actions.asked] == ["break", "pause"]


async def test_escape_leaves_the_other_in_peace(actions: RehearsedActions) -> None:
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "p")
        await see(pilot, "flux-sample is locked")
        await pilot.press("escape")
        await see(pilot, "p pause")
        assert actions.asked == []
        assert len(app.screen_stack) == 1


async def test_a_silent_holder_is_perhaps_dead_and_its_lock_ends(actions: RehearsedActions) -> None:
    actions.holders = [replace(ANA, renewed=NOW - 17)]
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "p")
        await see(pilot, "perhaps killed: then the lock ends by itself in 13s.")
