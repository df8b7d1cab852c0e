"""What the dashboard's end tells the shell."""

from __future__ import annotations

from textual.app import App

from fluxstate_tui.dashboard.run import exit_code


class Crashing(App[int]):
    def on_ready(self) -> None:
        raise RuntimeError("a bug in a screen")


class Quitting(App[int]):
    def on_ready(self) -> None:
        self.exit()


async def test_a_crash_is_an_exit_code_of_1() -> None:
    app = Crashing()
    await app.run_async(headless=True)
    assert exit_code(app) == 1


async def test_quitting_is_an_exit_code_of_0() -> None:
    app = Quitting()
    await app.run_async(headless=True)
    assert exit_code(app) == 0
