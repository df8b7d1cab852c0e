"""What the dashboard's end tells the shell."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest
from textual.app import App
from textual.pilot import Pilot

from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.tui.run import build, exit_code


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


async def test_a_bug_in_the_dashboard_shows_no_traceback_and_is_told_to_who_runs_it(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    app = build(KubeOptions(str(tmp_path / "no kubeconfig")))
    bug = RuntimeError("a bug in a screen")

    def broken() -> NoReturn:
        raise bug

    async def pilot(pilot: Pilot[object]) -> None:
        app.call_later(broken)

    await app.run_async(headless=True, auto_pilot=pilot)
    assert app.crash is bug
    assert exit_code(app) == 1
    assert capfd.readouterr().err == ""
