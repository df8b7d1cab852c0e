"""The keys that act on one MiniCluster: the same in the list and inside of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import actions
from textual.app import SystemCommand
from textual.binding import Binding
from textual.screen import Screen

from fluxstate_tui.live.possible import holds, unmet
from fluxstate_tui.operations.base import OperationKind
from fluxstate_tui.operations.registry import ALIVE, OPERATIONS, Condition, spec
from fluxstate_tui.tui.screens.words import NONE_CHOSEN, READ_ONLY

if TYPE_CHECKING:
    from fluxstate_tui.live.summary import Summary
    from fluxstate_tui.tui.screens.services import Services


class ClusterActions(Screen[None]):
    """Subclasses say which MiniCluster is `chosen`. Keys that cannot work now are grey."""

    services: Services
    KEYS: ClassVar[list[Binding]] = [
        *(
            Binding(one.key, f"operate('{kind}')", kind.value, id=f"cluster.{kind}")
            for kind, one in OPERATIONS.items()
        ),
        Binding("n", "submit", "submit", id="cluster.submit"),
    ]

    @property
    def chosen(self) -> Summary | None:
        """The MiniCluster that the keys act on."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey what is read-only, forbidden, or senseless in this state."""
        if action == "submit":
            return True if self.why_not("submit") == "" else None
        if action == "operate":
            kind = OperationKind(str(parameters[0]))
            if not self._shown(kind):
                return False
            return True if self.why_not(kind) == "" else None
        return True

    def why_grey(self, action: str) -> str:
        """Why a key with that action (`operate('save')`) is grey, for the help screen."""
        _, name, parameters = actions.parse(action)
        if name == "submit":
            return self.why_not("submit")
        if name == "operate":
            return self.why_not(OperationKind(str(parameters[0])))
        return "" if self.chosen is not None else NONE_CHOSEN

    def why_not(self, what: OperationKind | Literal["submit"]) -> str:
        """Why a key is grey, in one sentence; '' if it works."""
        chosen = self.chosen
        if chosen is None:
            return NONE_CHOSEN
        if self.services.read_only:
            return READ_ONLY
        run = self.services.runs.get(chosen.ref.uid)
        if run is not None and run.running:
            return "" if what == run.plan.operation else f"{run.title} is running."
        conditions = ALIVE if what == "submit" else spec(what).conditions
        return unmet(conditions, chosen) or self.services.actions.why_not(what, chosen.ref)

    def action_operate(self, what: str) -> None:
        """Open the dialog or the plan of an operation; nothing happens before consent."""
        from fluxstate_tui.tui.screens.operation.start import start_operation

        chosen = self.chosen
        if chosen is not None:
            start_operation(self.app, self.services, OperationKind(what), chosen)

    def operation_commands(self) -> Iterator[SystemCommand]:
        """The operations that can be begun now, for the palette."""
        for kind, one in OPERATIONS.items():
            if self._shown(kind) and not self.why_not(kind):
                begin = partial(self.action_operate, kind)
                yield SystemCommand(kind.capitalize(), one.title, begin)

    def action_submit(self) -> None:
        """Ask for a job and submit it."""
        from fluxstate_tui.tui.screens.jobs.submit import SubmitDialog

        if self.chosen is not None:
            self.app.push_screen(SubmitDialog(self.services, self.chosen.ref))

    def _shown(self, kind: OperationKind) -> bool:
        """`p` pauses what is started, and resumes what is stopped."""
        condition = spec(kind).shown_if
        if condition is None or self.chosen is None:
            return condition in (None, Condition.QUEUE_RUNS)
        return holds(condition, self.chosen)
