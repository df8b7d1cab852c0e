"""From a key to an operation's plan: ask what must be decided first, then show the plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.screen import ModalScreen

from fluxstate_tui.formatting import age, plural
from fluxstate_tui.live.summary import Summary
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import Choices, OperationKind, Running
from fluxstate_tui.tui.screens.dialog import Choice, ChoiceDialog
from fluxstate_tui.tui.screens.operation.screen import OperationScreen
from fluxstate_tui.tui.screens.services import OperationRun, Services
from fluxstate_tui.tui.widgets.lines import Part


def start_operation(
    app: App[Any], services: Services, kind: OperationKind, chosen: Summary
) -> None:
    """Show what runs there, or ended badly unseen, again; else ask and plan a new one."""
    run = services.runs.get(chosen.ref.uid)
    if run is not None and (run.running or (run.unseen and run.plan.operation == kind)):
        app.push_screen(operation_screen(services, kind, chosen.ref, Choices(), run))
        return

    def decided(choices: Choices | None) -> None:
        if choices is not None:
            app.push_screen(operation_screen(services, kind, chosen.ref, choices))

    make = _DIALOGS.get(kind)
    if make is None:
        decided(Choices())
    else:
        app.push_screen(make(services, chosen), decided)


def operation_screen(
    services: Services,
    kind: OperationKind,
    ref: ClusterRef,
    choices: Choices,
    run: OperationRun | None = None,
) -> OperationScreen:
    """The screen for that kind of operation; `run` is one that was started before."""
    if kind is not OperationKind.MIGRATE:
        return OperationScreen(services, kind, ref, choices, run)
    from fluxstate_tui.tui.screens.operation.migration import MigrateScreen

    return MigrateScreen(services, kind, ref, choices, run)


def _delete_dialog(services: Services, chosen: Summary) -> ChoiceDialog[Choices]:
    first = Choices(save_first=True)
    choices = [Choice(first, "Save first, then delete", "verified, or it is not deleted")]
    if chosen.running:
        cancel = Choices(save_first=True, running=Running.CANCEL)
        hint = "their work is lost: you will be asked for its name"
        choices.append(Choice(cancel, "Cancel the running jobs, save, then delete", hint))
    hint = "you will be asked for its name, if a job would be lost"
    plain = Choice(Choices(), "Delete without saving", hint)
    can_save = chosen.queue is not None and chosen.queue_since is None
    return ChoiceDialog(
        f"Delete {chosen.ref.name}",
        _delete_lines(services, chosen, can_save),
        (*choices, plain) if can_save else (plain,),
    )


def _delete_lines(services: Services, chosen: Summary, can_save: bool) -> list[list[Part]]:
    lines: list[list[Part]] = [
        [("Its queue and its history die with its pods unless they are saved.", "")]
    ]
    if chosen.newest_archive is not None:
        old = age(services.clock.now() - chosen.newest_archive)
        jobs = "" if chosen.newest_jobs is None else f", with {plural(chosen.newest_jobs, 'job')}"
        lines.append([(f"Its newest archive says: {old} old{jobs}.", "$state-warn")])
        if (chosen.most_jobs or 0) > (chosen.newest_jobs or 0):
            more = f"An older one says that it holds {plural(chosen.most_jobs or 0, 'job')}."
            lines.append([(more, "$state-bad")])
    elif chosen.archives == 0:
        lines.append([("There is no archive of it.", "$state-bad")])
    if chosen.running:
        said = f"{plural(chosen.running, 'job')} running: a save waits for them."
        lines.append([(said, "$state-busy")])
    if chosen.pending:
        lines.append([(f"{plural(chosen.pending, 'job')} pending.", "$state-wait")])
    if not can_save:
        lines.append([("It cannot be saved: its Flux does not answer.", "$state-bad")])
    return lines


def _save_dialog(services: Services, chosen: Summary) -> ModalScreen[Choices]:
    from fluxstate_tui.tui.screens.operation.save_dialog import SaveDialog

    return SaveDialog(services, chosen)


def _restore_dialog(services: Services, chosen: Summary) -> ModalScreen[Choices]:
    from fluxstate_tui.tui.screens.operation.restore_dialog import RestoreDialog

    return RestoreDialog(services, chosen)


def _migrate_dialog(services: Services, chosen: Summary) -> ModalScreen[Choices]:
    from fluxstate_tui.tui.screens.operation.migration_dialog import MigrateDialog

    return MigrateDialog(services, chosen)


# What has to be decided before there is a plan; the others have nothing to ask.
_DIALOGS: dict[OperationKind, Callable[[Services, Summary], ModalScreen[Choices]]] = {
    OperationKind.SAVE: _save_dialog,
    OperationKind.DELETE: _delete_dialog,
    OperationKind.RESTORE: _restore_dialog,
    OperationKind.MIGRATE: _migrate_dialog,
}
