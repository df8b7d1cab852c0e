"""A second operator at work: who, what, since when; wait for the lock, or break it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from fluxstate_tui.formatting import age, moment
from fluxstate_tui.tui.screens.dialog import Choice, ChoiceDialog, Dialog
from fluxstate_tui.tui.typed_ahead import from_now_on
from fluxstate_tui.tui.widgets.lines import Panel, Part

if TYPE_CHECKING:
    from fluxstate_tui.minicluster.minicluster import ClusterRef
    from fluxstate_tui.operations.lease import Holder
    from fluxstate_tui.tui.screens.services import Services


LOOK_AGAIN = 1.0
SILENT = 13.0
"""Seconds after which a holder that renews every 10 s has missed one."""


class Locked(Enum):
    """What to do about somebody else's lock."""

    WAIT = "wait"
    BREAK = "break"


async def until_free(
    app: App[Any], services: Services, ref: ClusterRef, say: Callable[[str], None]
) -> bool:
    """Return when nobody works on it. False: the user would rather not. Raises FluxstateError.

    Must run in a worker, for it shows dialogs. The world is read only afterwards: what the other
    operator did is in the plan.
    """
    waiting = False
    while (holder := await services.actions.holder(ref)) is not None:
        now = services.server_now()
        if not waiting:
            dialog = _dialog(ref, holder, now)
            dialog.answers_from = from_now_on()
            answer = await app.push_screen_wait(dialog)
            if answer is None:
                return False
            if answer is Locked.BREAK:
                if await app.push_screen_wait(BreakDialog(ref, holder)):
                    await services.actions.break_lock(ref, holder)
                continue
            waiting = True
        say(f"Waiting for {holder.who}: {holder.what} for {age(now - holder.since)} …")
        await asyncio.sleep(LOOK_AGAIN)
    return True


def _dialog(ref: ClusterRef, holder: Holder, now: float) -> ChoiceDialog[Locked]:
    lines: list[list[Part]] = [
        [
            (holder.who, "$foreground bold"),
            (" works on this MiniCluster: ", ""),
            (holder.what, "$state-busy"),
        ],
        [
            (f"since {moment(holder.since)}, {age(now - holder.since)} ago; ", ""),
            (f"last sign of life {age(now - holder.renewed)} ago.", ""),
        ],
        _silence(holder, now),
    ]
    choices = (
        Choice(Locked.WAIT, "Wait until it is done", "then the plan is made of what is there"),
        Choice(Locked.BREAK, "Break the lock", "you will be asked for the MiniCluster's name"),
    )
    return ChoiceDialog(f"{ref.name} is locked", lines, choices)


def _silence(holder: Holder, now: float) -> list[Part]:
    """A program that was killed says nothing any more: its lock ends by itself."""
    silent = now - holder.renewed
    if silent < SILENT:
        return [("Two operations at once would undo each other's work.", "$muted")]
    left = max(0.0, holder.lasts - silent)
    said = f"It is silent, perhaps killed: then the lock ends by itself in {age(left)}."
    return [(said, "$state-warn")]


class BreakDialog(Dialog[bool]):
    """The name of the MiniCluster must be typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "agree", "break it", id="locked.break", key_display="↵", priority=True),
    ]

    def __init__(self, ref: ClusterRef, holder: Holder) -> None:
        super().__init__(f"Break the lock of {ref.name}")
        self.ref = ref
        self._holder = holder

    def content(self) -> Iterable[Widget]:
        """What it means, and where to type."""
        panel = Panel(classes="dialog-text")
        panel.say(
            [
                [(f"{self._holder.who} may still work: its {self._holder.what} then stops", "")],
                [("before its next step, and puts nothing back.", "")],
                [(f"Type {self.ref.name} to break it.", "$state-warn")],
            ]
        )
        yield panel
        yield Input(placeholder="type it here", id="break-word", compact=True)

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()

    def action_agree(self) -> None:
        """Only when the name is typed exactly."""
        if self.query_one(Input).value.strip() == self.ref.name:
            self.dismiss(True)
