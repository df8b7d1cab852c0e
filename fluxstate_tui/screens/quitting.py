"""Quitting while an operation runs: nothing is left half done without being asked.

Whoever is asked from outside (a signal, a terminal that went away) cannot ask: then what runs is
cancelled, which puts it back."""

from __future__ import annotations

from enum import Enum
from typing import Any

from textual.app import App

from fluxstate_tui.exits import ExitCode
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
    running = _running(services)
    if not running:
        app.exit()
        return

    async def leave(cancel: bool) -> None:
        await _end(running, cancel=cancel)
        app.exit()

    def decided(how: Quit | None) -> None:
        if how is Quit.WAIT:
            services.tell("Quits when the operation is done.", "", "information")
            in_background(app, lambda: leave(False), "quit")
        elif how is Quit.CANCEL:
            in_background(app, lambda: leave(True), "quit")

    app.push_screen(_dialog(running), decided)


async def quit_on_request(
    app: App[int], services: Services, interrupted: list[OperationRun]
) -> None:
    """Asked to end from outside: what runs puts back what it did, or finishes; then leave."""
    running = _running(services)
    interrupted += running
    if running:
        what = ", ".join(run.title for run in running)
        services.tell(f"It was asked to end: {what} is put back first.", "Quitting", "warning")
    if services.bulk is not None:
        services.bulk.cancel()
    await _end(running, cancel=True)
    app.exit(int(ExitCode.INTERRUPTED))


async def _end(running: list[OperationRun], *, cancel: bool) -> None:
    for run in running:
        if cancel:
            run.cancel()
    for run in running:
        await run.finished()


def _running(services: Services) -> list[OperationRun]:
    return [run for run in services.runs.values() if run.running]


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
