"""Keys that come in one burst go where they would have gone one by one."""

from __future__ import annotations

from textual import events
from textual.app import App
from textual.widgets import Input

from tests.unit.screens.stage import LARGE, SMALL, make_app, screen_text, see, until


def burst(app: App[int], *keys: str) -> None:
    for key in keys:
        app.post_message(events.Key(key, key if len(key) == 1 else None))


async def test_a_burst_opens_the_form_and_fills_its_fields() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        burst(app, "down", "n", "d", "a", "t", "e", "tab", "4", "tab", "9", "9")
        await until(pilot, lambda: "99" in screen_text(app))
        values = [entry.value for entry in app.screen.query(Input)]
        assert values[:3] == ["date", "4", "99"]


async def test_keys_after_an_escape_go_to_the_screen_below() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        burst(app, "down", "n", "q", "escape", "question_mark")
        await see(pilot, "KEYS")


async def test_a_key_waits_for_no_screen_that_went_away() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        for _ in range(3):
            burst(app, "question_mark", "escape", "enter", "escape")
        burst(app, "slash", "s", "m", "o")
        await until(pilot, lambda: "/ smo" in screen_text(app))


async def test_the_help_of_a_wide_terminal_has_each_key_on_one_line() -> None:
    app = make_app()
    async with app.run_test(size=LARGE) as pilot:
        await see(pilot, "flux-sample")
        burst(app, "question_mark")
        await see(pilot, "KEYS")
        assert "Choose columns" in screen_text(app)
        assert "Show the row in full" in screen_text(app)
