"""Stopping a migration: asked first, with what would be where."""

from __future__ import annotations

from enum import Enum

from fluxstate_tui.operations.delete import plan as delete_plan
from fluxstate_tui.operations.plan import Plan, StepState
from fluxstate_tui.operations.restore import plan as restore_plan
from fluxstate_tui.screens.dialog import Choice, ChoiceDialog
from fluxstate_tui.screens.operation_run import OperationRun
from fluxstate_tui.widgets.line import Part


class Stop(Enum):
    """What to do about a migration that runs."""

    STAY = "stay"
    LEAVE = "leave"
    STOP = "stop"


def stop_dialog(run: OperationRun) -> ChoiceDialog[Stop]:
    """Ask; the safe answer is the first one."""
    lines: list[list[Part]] = [
        [(f"▶ {run.progress_text}", "$state-busy")],
        [(where_if_stopped(run), "")],
    ]
    choices = [
        Choice(Stop.STAY, "Go on", "and look on"),
        Choice(Stop.LEAVE, "Go on, and leave this screen", "m shows it again"),
    ]
    if not too_late(run):
        choices.append(Choice(Stop.STOP, "Stop, and put it back", "no job is lost"))
    return ChoiceDialog(f"{run.title} is running", lines, choices)


def too_late(run: OperationRun) -> bool:
    """The new one has every job and the old one is gone: there is nothing to go back to."""
    plan = run.plan
    last = delete_plan.DELETE.id if _beside(plan) else restore_plan.ACCOUNT.id
    begun = (StepState.RUNNING, StepState.DONE) if _beside(plan) else (StepState.DONE,)
    event = run.steps.get(last)
    return event is not None and event.state in begun


def where_if_stopped(run: OperationRun) -> str:
    """What would be where, in one sentence."""
    if too_late(run):
        return "Too late to stop: the new one has every job; what is left puts its queue back."
    if _begun(run, delete_plan.DELETE.id):
        return "Stopped now, the old one is restored as it was: the archive has every job."
    if _begun(run, restore_plan.CREATE.id):
        return "Stopped now, the new one is removed and the old one goes on, with every job."
    return "Stopped now, the old one goes on as it was, with every job; no new one is there."


def _beside(plan: Plan) -> bool:
    return plan.arrival is not None and plan.arrival.beside


def _begun(run: OperationRun, step: str) -> bool:
    event = run.steps.get(step)
    return event is not None and event.state is not StepState.PENDING
