"""The dialog before a save: what each choice means, how long it takes, how the queue comes up."""

from __future__ import annotations

import pytest

from fluxstate_tui.live.outlook import Outlook
from fluxstate_tui.operations.base import Choices, Running
from fluxstate_tui.tui.screens.operation.save_dialog import waiting_words
from tests.unit.tui_screens.rehearsal import RehearsedActions
from tests.unit.tui_screens.stage import SIZES, SMALL, make_app, screen_text, see


@pytest.mark.parametrize("size", SIZES)
async def test_all_choices_are_in_sight_with_what_they_mean(size: tuple[int, int]) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await pilot.press("down", "s")
        await see(pilot, "▸ Wait until they are done")
        text = screen_text(app)
        for said in (
            "Wait for a time",
            "Cancel them",
            "of work is lost",
            "Save while they run",
            "they come back FAILED after a restore",
            "[ ] leave the queue paused afterwards",
            "[ ] a restore of it comes up paused",
        ):
            assert said in text


async def test_a_written_time_means_to_wait_at_most_that_long() -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "s", "tab", "backspace", "backspace", "backspace", *"90x")
        await see(pilot, "▸ Wait for a time")
        await pilot.press("enter")
        await see(pilot, "'90x' is no duration")
        await pilot.press("backspace", "s", "enter")
        await see(pilot, "Save the queue?")
    wanted = Choices(running=Running.WAIT_AT_MOST, wait_seconds=90.0)
    assert actions.asked == [("save", wanted)]


async def test_ticks_say_how_the_queue_is_left_and_how_it_comes_up_again() -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "s", "tab", "tab", "space", "tab", "space", "enter")
        await see(pilot, "Save the queue?")
    assert actions.asked == [("save", Choices(keep_paused=True, restore_paused=True))]


async def test_a_stopped_queue_where_nothing_runs_has_little_to_ask() -> None:
    actions = RehearsedActions()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "down", "s")
        await see(pilot, "No job is running")
        assert "leave the queue paused" not in screen_text(app)
        assert "a restore of it comes up paused" in screen_text(app)
        await pilot.press("enter")
        await see(pilot, "Save the queue?")
    assert actions.asked == [("save", Choices())]


@pytest.mark.parametrize(
    ("outlook", "said"),
    [
        (Outlook(720, 2, 0, 0, 0), "at most 12m, by their time limits"),
        (Outlook(95, 1, 1, 0, 0), "about 95s, going by earlier jobs of the same name"),
        (Outlook(0.2, 0, 1, 0, 0), "any moment, going by earlier jobs of the same name"),
        (Outlook(95, 1, 0, 2, 0), "95s or more: 2 of 3 have no time limit"),
        (Outlook(0, 0, 0, 2, 0), "nobody knows how long: they have no time limit"),
    ],
)
def test_how_long_a_wait_takes_is_said_with_what_it_rests_on(outlook: Outlook, said: str) -> None:
    assert waiting_words(outlook) == said
