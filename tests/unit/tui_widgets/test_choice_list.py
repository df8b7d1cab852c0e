"""A list to choose from: a mark that needs no colour, and two ends."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.content import Content

from fluxstate_tui.tui.widgets.inputs import ChoiceList
from tests.unit.tui_screens.stage import screen_text


class Choosing(App[None]):
    """Three things, the last of which cannot be chosen."""

    def compose(self) -> ComposeResult:
        """The list alone."""
        yield ChoiceList()

    def on_mount(self) -> None:
        """The first is chosen."""
        options = self.query_one(ChoiceList)
        options.offer([Content("first\n  a hint"), Content("second"), Content("third")], (2,))
        options.highlighted = 0
        options.focus()


async def test_the_mark_follows_the_keys_and_stops_at_both_ends() -> None:
    app = Choosing()
    async with app.run_test(size=(20, 6)) as pilot:
        await pilot.press("up")
        await pilot.pause()
        assert "▸ first" in screen_text(app)
        assert "    a hint" in screen_text(app)
        await pilot.press("down", "down", "down", "down")
        await pilot.pause()
        text = screen_text(app)
        assert "▸ second" in text
        assert text.count("▸") == 1
