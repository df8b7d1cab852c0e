"""The keys that act on one MiniCluster: the same in the list and inside of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, cast

from textual.binding import Binding
from textual.screen import Screen

from fluxstate_tui.minicluster.minicluster import Phase
from fluxstate_tui.tui.screens.words import ASKABLE, NONE_CHOSEN, READ_ONLY

if TYPE_CHECKING:
    from fluxstate_tui.live.actions import Kind
    from fluxstate_tui.live.summary import Summary
    from fluxstate_tui.tui.screens.services import Services


class ClusterActions(Screen[None]):
    """Subclasses say which MiniCluster is `chosen`. Keys that cannot work now are grey."""

    services: Services
    KEYS: ClassVar[list[Binding]] = [
        Binding("s", "operate('save')", "save", id="cluster.save"),
        Binding("p", "operate('pause')", "pause", id="cluster.pause"),
        Binding("p", "operate('resume')", "resume", id="cluster.resume"),
        Binding("d", "operate('delete')", "delete", id="cluster.delete"),
        Binding("r", "operate('restore')", "restore", id="cluster.restore"),
        Binding("m", "operate('migrate')", "migrate", id="cluster.migrate"),
        Binding("D", "operate('disarm')", "disarm", id="cluster.disarm"),
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
            what = cast("Kind", parameters[0])
            if what in ("pause", "resume") and what != self._toggle():
                return False
            if what == "disarm" and not (self.chosen is not None and self.chosen.armed):
                return False  # nothing is armed: the key would say nothing
            return True if self.why_not(what) == "" else None
        return True

    def why_grey(self, action: str) -> str:
        """Why a key with that action (`operate('save')`) is grey, for the help screen."""
        if action == "submit":
            return self.why_not("submit")
        if action.startswith("operate("):
            return self.why_not(cast("Kind", action.split("'")[1]))
        return "" if self.chosen is not None else NONE_CHOSEN

    def why_not(self, what: Kind | Literal["submit"]) -> str:
        """Why a key is grey, in one sentence; '' if it works."""
        chosen = self.chosen
        if chosen is None:
            return NONE_CHOSEN
        if self.services.read_only:
            return READ_ONLY
        run = self.services.runs.get(chosen.ref.uid)
        if run is not None and run.running:
            return "" if what == run.plan.operation else f"{run.title} is running."
        if what == "restore":
            return "" if chosen.archives else "No archive of it is known."
        if chosen.phase is Phase.DELETING or chosen.deleted:
            return f"{chosen.ref.name} is deleted."
        if what != "delete" and chosen.phase not in ASKABLE:
            return f"{chosen.ref.name} is {chosen.phase.value}: its Flux does not answer."
        return self.services.actions.why_not(what, chosen.ref)

    def action_operate(self, what: Kind) -> None:
        """Open the dialog or the plan of an operation; nothing happens before consent."""
        from fluxstate_tui.tui.screens.operation.start import start_operation

        chosen = self.chosen
        if chosen is not None:
            start_operation(self.app, self.services, what, chosen)

    def action_submit(self) -> None:
        """Ask for a job and submit it."""
        from fluxstate_tui.tui.screens.jobs.submit import SubmitDialog

        if self.chosen is not None:
            self.app.push_screen(SubmitDialog(self.services, self.chosen.ref))

    def _toggle(self) -> str:
        """`p` pauses what is started and resumes what is stopped."""
        return "resume" if self.chosen is not None and self.chosen.queue == "stopped" else "pause"
