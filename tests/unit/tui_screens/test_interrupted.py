"""What a killed program left is told at the start, and put right only when asked."""

from __future__ import annotations

import pytest

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.live.actions import Interrupted
from fluxstate_tui.operations.base import OperationKind
from fluxstate_tui.tui.screens.operation.interrupted import tell_about_interrupted
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.rehearsal import RehearsedActions
from tests.unit.tui_screens.stage import SIZES, SMALL, make_app, screen_text, see, until

STOPPED = Interrupted(
    "one",
    feed.ref("flux-sample"),
    "save",
    (
        "save of default/flux-sample was interrupted at 'Wait for running jobs'.",
        "Its queue is still stopped.",
    ),
    OperationKind.RESUME,
)
NOTHING_LEFT = Interrupted(
    "two", feed.ref("flux-sample"), "delete", ("It was interrupted.", "Nothing of it is left.")
)


def left(*interrupted: Interrupted) -> RehearsedActions:
    actions = RehearsedActions()
    actions.left_behind = interrupted
    return actions


async def test_it_is_told_as_soon_as_the_cluster_is_seen() -> None:
    app = make_app(actions=left(STOPPED))
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await see(pilot, "1 operation interrupted")
        await see(pilot, "save flux-sample")


async def test_nothing_is_told_when_nothing_was_interrupted() -> None:
    actions = left()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: actions.looked > 0)
        assert "interrupted" not in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_putting_it_right_shows_the_plan_first(size: tuple[int, int]) -> None:
    app = make_app(actions=left(STOPPED))
    async with app.run_test(size=size) as pilot:
        await pilot.press("i")
        await see(pilot, "Interrupted: save flux-sample")
        await see(pilot, "Its queue is still stopped.")
        await see(pilot, "Put it right: resume")
        await pilot.press("enter")
        await see(pilot, "This is what resume would do to flux-sample.")


async def test_one_after_the_other_is_asked_about_and_closed_only_if_asked() -> None:
    actions = left(STOPPED, NOTHING_LEFT)
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("i")
        await see(pilot, "Interrupted: save flux-sample")
        await pilot.press("down", "enter")  # not now
        await see(pilot, "Interrupted: delete flux-sample")
        assert "Put it right" not in screen_text(app)
        await pilot.press("down", "enter")  # do not show it again
        await until(pilot, lambda: ("close", "two") in actions.asked)
        assert actions.left_behind == (STOPPED,)


async def test_escape_leaves_everything_as_it_is() -> None:
    actions = left(STOPPED, NOTHING_LEFT)
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("i")
        await see(pilot, "Interrupted: save flux-sample")
        await pilot.press("escape")
        await until(pilot, lambda: "Interrupted:" not in screen_text(app))
        assert len(actions.left_behind) == 2


async def test_without_a_connection_the_start_says_nothing_about_it() -> None:
    actions = left(STOPPED)
    actions.refusal = FluxstateError("there is no connection to a cluster")
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL):
        await tell_about_interrupted(app.services)
        assert not app._notifications
