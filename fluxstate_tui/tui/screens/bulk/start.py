"""From a key to the plan for all marked MiniClusters: ask what must be decided first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from textual.app import App

from fluxstate_tui.formatting import plural
from fluxstate_tui.live.summary import Summary
from fluxstate_tui.operations.base import Choices, OperationKind, Running
from fluxstate_tui.tui.screens.bulk.screen import BulkScreen
from fluxstate_tui.tui.screens.dialog import Choice, ChoiceDialog
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.widgets.lines import Part


def start_bulk(
    app: App[Any],
    services: Services,
    kind: OperationKind,
    marked: Sequence[Summary],
    when_started: Callable[[], object],
) -> None:
    """Ask and plan; what cannot be done for one of them is said in its line of the plan."""
    refs = tuple(summary.ref for summary in marked)

    def decided(choices: Choices | None) -> None:
        if choices is not None:
            screen = BulkScreen(services, kind, refs, choices, when_started=when_started)
            app.push_screen(screen)

    running = sum(summary.running or 0 for summary in marked)
    if kind is OperationKind.DELETE:
        app.push_screen(_delete_dialog(marked, running), decided)
    elif running:
        app.push_screen(_save_dialog(marked, running), decided)
    else:
        decided(Choices())


def _save_dialog(marked: Sequence[Summary], running: int) -> ChoiceDialog[Choices]:
    return ChoiceDialog(
        f"Save {plural(len(marked), 'MiniCluster')}",
        [_running_line(running)],
        (
            Choice(Choices(), "Wait until they are done", "each queue is paused meanwhile"),
            Choice(Choices(running=Running.CANCEL), "Cancel them", "saved as CANCELED"),
            Choice(Choices(running=Running.LEAVE), "Save now", "they come back FAILED"),
        ),
    )


def _delete_dialog(marked: Sequence[Summary], running: int) -> ChoiceDialog[Choices]:
    lines: list[list[Part]] = [[(", ".join(one.ref.name for one in marked), "")]]
    if running:
        lines.append(_running_line(running))
    first = Choices(save_first=True)
    choices = [Choice(first, "Save first, then delete", "each only when it is verified")]
    if running:
        cancel = Choices(save_first=True, running=Running.CANCEL)
        choices.append(Choice(cancel, "Cancel the running jobs, save, delete", "typed consent"))
    choices.append(Choice(Choices(), "Delete without saving", "typed consent, if jobs are lost"))
    return ChoiceDialog(f"Delete {plural(len(marked), 'MiniCluster')}", lines, choices)


def _running_line(running: int) -> list[Part]:
    return [(f"{plural(running, 'job')} running in all.", "$state-busy")]
