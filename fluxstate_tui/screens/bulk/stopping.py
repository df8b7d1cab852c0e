"""Stopping an operation on several: what has not begun is held back, what runs is asked about."""

from __future__ import annotations

from enum import Enum

from fluxstate_tui.screens.bulk.run import BulkRun, run_of
from fluxstate_tui.screens.dialog import Choice, ChoiceDialog
from fluxstate_tui.widgets.line import Part
from fluxstate_tui.widgets.words import plural


class Stop(Enum):
    """What to do about those that run."""

    STAY = "stay"
    LEAVE = "leave"
    HOLD = "hold"
    STOP = "stop"


def stop_dialog(run: BulkRun) -> ChoiceDialog[Stop]:
    """Ask; the safe answer is the first one."""
    left = [one for part in run.parts.values() if (one := run_of(part)) and one.running]
    begun = [one for one in left if one.begun]
    waiting = len(left) - len(begun)
    lines: list[list[Part]] = [
        [(f"▶ {one.title}: {one.progress_text}", "$state-busy")] for one in begun[:8]
    ]
    if waiting:
        lines.append([(f"{plural(waiting, 'MiniCluster')} not begun.", "")])
    choices = [
        Choice(Stop.STAY, "Go on", "and look on"),
        Choice(Stop.LEAVE, "Go on, and leave this screen", "b shows it again"),
    ]
    if waiting:
        hint = "those that run go on to their end"
        choices.append(Choice(Stop.HOLD, "Begin no more", hint))
    choices.append(Choice(Stop.STOP, "Stop all", "those that run put back what they did"))
    title = f"{run.bulk.kind} of {plural(len(run.parts), 'MiniCluster')}"
    return ChoiceDialog(title, lines, choices)
