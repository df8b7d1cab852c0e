"""A migration: both sides above, the account between them, and the steps with their read-backs."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from fluxstate_tui.live.store import Changes, Notices
from fluxstate_tui.operations import delete, saving
from fluxstate_tui.operations.base import Plan, StepState
from fluxstate_tui.operations.restore import plan as restore_plan
from fluxstate_tui.tui.screens.dialog import Choice, ChoiceDialog
from fluxstate_tui.tui.screens.operation.migration_sides import Sides, Watching, new_rows, old_rows
from fluxstate_tui.tui.screens.operation.screen import OperationScreen
from fluxstate_tui.tui.screens.services import OperationRun
from fluxstate_tui.tui.screens.words import STEPS
from fluxstate_tui.tui.theme import INNER_CSS, color
from fluxstate_tui.tui.widgets.lines import Line, Part

# Stopping a migration: asked first, with what would be where.


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
    last = delete.DELETE.id if _beside(plan) else restore_plan.ACCOUNT.id
    begun = (StepState.RUNNING, StepState.DONE) if _beside(plan) else (StepState.DONE,)
    event = run.steps.get(last)
    return event is not None and event.state in begun


def where_if_stopped(run: OperationRun) -> str:
    """What would be where, in one sentence."""
    if too_late(run):
        return "Too late to stop: the new one has every job; what is left puts its queue back."
    if _begun(run, delete.DELETE.id):
        return "Stopped now, the old one is restored as it was: the archive has every job."
    if _begun(run, restore_plan.CREATE.id):
        return "Stopped now, the new one is removed and the old one goes on, with every job."
    return "Stopped now, the old one goes on as it was, with every job; no new one is there."


def _beside(plan: Plan) -> bool:
    return plan.arrival is not None and plan.arrival.beside


def _begun(run: OperationRun, step: str) -> bool:
    event = run.steps.get(step)
    return event is not None and event.state is not StepState.PENDING


class MigrateScreen(OperationScreen):
    """Both sides are read from the store, as everything that is shown; the steps say what was
    read back. It is asked before it is left or stopped while it runs."""

    CSS_PATH = INNER_CSS
    HELP_TEXT = (
        "Left the MiniCluster that goes, right the one that comes, with their jobs by state. "
        "Below what was compared job by job before the old one goes, and every step with the "
        "command that does the same by hand, and what was read back."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back or stop", id="migrate.back", key_display="esc"),
        Binding("c", "cancel", "Stop it", show=False, id="migrate.stop"),
    ]
    _watching: Watching | None = None
    _notices: Notices | None = None

    def head(self) -> Iterable[Widget]:
        """Both sides, and the account."""
        yield Sides(id="sides")
        yield Line(id="account")

    def on_mount(self) -> None:
        """The sides are shown as soon as it is known where it goes to."""
        self.query_one("#sides").display = False
        self.query_one("#account").display = False
        super().on_mount()

    def on_unmount(self) -> None:
        """The other store is looked at by nobody."""
        super().on_unmount()
        if self._notices is not None:
            self._notices.close()

    def show_all(self) -> None:
        """Both sides."""
        self._show_sides()

    def show_changes(self, changes: Changes) -> None:
        """What changed may be on either side."""
        self._show_sides()

    def tick(self) -> None:
        """Phases depend on the time, on the other side too."""
        super().tick()
        watching = self._watching
        if watching is not None and watching.there is not watching.here:
            watching.there.tick(self.services.clock.now())
        self._show_sides()

    def on_resize(self) -> None:
        """Bars as wide as there is room."""
        if self.ready:
            self.call_after_refresh(self._show_sides)

    def action_leave(self) -> None:
        """Back; while it runs it is asked what shall become of it."""
        if self.run is None or not self.run.running:
            super().action_leave()
        else:
            self.app.push_screen(stop_dialog(self.run), self._decided)

    def action_cancel(self) -> None:
        """As escape: nothing is stopped without saying what would be where."""
        self.action_leave()

    def _decided(self, answer: Stop | None) -> None:
        if answer is Stop.LEAVE:
            super().action_leave()
        elif answer is Stop.STOP and self.run is not None:
            if too_late(self.run):  # it went on while the question was there
                self.services.tell(where_if_stopped(self.run), self.run.title, "warning")
            else:
                self.services.tell(
                    "What was done is being put back.", self.run.title, "information"
                )
                super().action_cancel()

    def preview_rows(self, plan: Plan) -> list[list[Part]]:
        """Without its title: both sides say it."""
        return super().preview_rows(plan)[1:]

    def show_run(self) -> None:
        """Once it runs, the steps need the room of the preview."""
        super().show_run()
        run = self.run
        if run is None or not self.is_attached:
            return
        self.query_one("#preview").display = not run.started
        self.query_one("#account").display = run.started
        self._look_at_both()
        self._show_sides()

    def _look_at_both(self) -> None:
        run = self.run
        if self._watching is not None or run is None or run.plan.arrival is None:
            return
        here = self.services.store
        there = run.there or here
        self._watching = Watching(here, there, self.ref, run.plan.arrival)
        if there is not here:
            self._notices = Notices(there)
            self._notices.subscribe(self._noticed_there)
        self.query_one("#sides").display = True
        self.call_after_refresh(self._show_sides)  # only then it is known how wide they are

    def _noticed_there(self, changes: Changes) -> None:
        if self.ready and self.seen:
            self._show_sides()

    def _show_sides(self) -> None:
        if self._watching is None or not self.is_attached:
            return
        sides = self.query_one("#sides", Sides)
        width = sides.side_width
        arriving = not self._accounted()
        sides.say(old_rows(self._watching, width), new_rows(self._watching, width, arriving))
        self.query_one("#account", Line).say(self._account())

    def _accounted(self) -> bool:
        event = self.run.steps.get(restore_plan.ACCOUNT.id) if self.run is not None else None
        return event is not None and event.state is StepState.DONE

    def _account(self) -> list[Part]:
        """What was compared job by job, as it was read back: the archive, then the new one."""
        said = self.run.steps if self.run is not None else {}
        for title, step in (("Account  ", restore_plan.ACCOUNT), ("Archive  ", saving.VERIFY)):
            event = said.get(step.id)
            if event is not None and event.state is not StepState.SKIPPED:
                word = STEPS[event.state]
                glyph = (f"{word.glyph} ", color(word.tone))
                return [(title, "$muted"), glyph, (event.read_back or word.word, "")]
        return [("Account  ", "$muted"), ("0 jobs lost, or the old one does not go", "$muted")]
