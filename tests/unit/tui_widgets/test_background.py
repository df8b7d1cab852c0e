"""What runs beside the screens must not take them down."""

from __future__ import annotations

import pytest
from textual.app import App

from fluxstate_tui.tui.widgets.inputs import in_background


class Bench(App[None]):
    """Has a terminal, or says so."""

    terminal = True

    @property
    def is_headless(self) -> bool:
        return not self.terminal


async def broken() -> None:
    raise NameError("name '[/x]' is not defined")


async def test_a_bug_beside_a_screen_is_told_and_logged_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Bench()
    async with app.run_test() as pilot:
        in_background(app, broken)
        await app.workers.wait_for_complete()
        await pilot.pause()
        told = [notice.message for notice in app._notifications]
        assert told == ["NameError: name '[/x]' is not defined"]
        assert app.is_running
    (record,) = caplog.records
    assert record.exc_info is not None  # for whoever reports it


async def test_without_a_terminal_it_is_raised_so_that_tests_see_it() -> None:
    app = Bench()
    app.terminal = False
    with pytest.raises(Exception, match="is not defined"):
        async with app.run_test() as pilot:
            in_background(app, broken)
            await app.workers.wait_for_complete()
            await pilot.pause()
