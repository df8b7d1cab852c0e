"""Quitting while an operation runs: nothing is left half done without being asked."""

from __future__ import annotations

from enum import Enum
from typing import Any

from textual.app import App

from fluxstate_tui.screens.dialog import Choice, ChoiceDialog
from fluxstate_tui.screens.operation_run import OperationRun
from fluxstate_tui.screens.services import Services
from fluxstate_tui.widgets.background import in_background
from fluxstate_tui.widgets.line import Part


class Quit(Enum):
    """How to go."""

    STAY = "stay"
    WAIT = "wait"
    CANCEL = "cancel"


def quit_or_ask(app: App[Any], services: Services) -> None:
    """Leave at once when nothing runs, else let the user decide about what runs."""
    running = [run for run in services.runs.values() if run.running]
    if not running:
        app.exit()
        return

    async def leave(cancel: bool) -> None:
        for run in running:
            if cancel:
                run.cancel()
            await run.finished()
        app.exit()

    def decided(how: Quit | None) -> None:
        if how is Quit.WAIT:
            services.tell("Quits when the operation is done.", "", "information")
            in_background(app, lambda: leave(False), "quit")
        elif how is Quit.CANCEL:
            in_background(app, lambda: leave(True), "quit")

    app.push_screen(_dialog(running), decided)


def _dialog(running: list[OperationRun]) -> ChoiceDialog[Quit]:
    lines: list[list[Part]] = [
        [(f"▶ {run.title}: {run.progress_text}", "$state-busy")] for run in running
    ]
    return ChoiceDialog(
        "An operation is running",
        lines,
        (
            Choice(Quit.STAY, "Stay"),
            Choice(Quit.WAIT, "Wait until it is done, then quit"),
            Choice(Quit.CANCEL, "Cancel it, then quit", "what it did is put back first"),
        ),
    )
