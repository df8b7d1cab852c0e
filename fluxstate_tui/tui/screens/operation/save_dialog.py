"""What must be decided before a save: what becomes of running jobs, and how the queue comes up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input, OptionList

from fluxstate_tui.flux.jobspec import parse_duration
from fluxstate_tui.formatting import age, plural
from fluxstate_tui.live.outlook import Outlook, run_times, until_idle
from fluxstate_tui.live.summary import QueueStatus
from fluxstate_tui.operations.base import Choices, Running
from fluxstate_tui.tui.screens.dialog import Choice, Dialog, prompt
from fluxstate_tui.tui.widgets.inputs import ChoiceList, Tick
from fluxstate_tui.tui.widgets.lines import Line, Panel, Part

if TYPE_CHECKING:
    from fluxstate_tui.live.picture import ClusterPicture
    from fluxstate_tui.live.summary import Summary
    from fluxstate_tui.tui.screens.services import Services


AT_MOST = "10m"


class SaveDialog(Dialog[Choices]):
    """The first choice waits and loses nothing. Gives None when cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "plan", "plan it", id="save.plan", key_display="↵", priority=True),
        Binding("tab", "app.focus_next", "next", id="save.next", key_display="tab"),
    ]

    def __init__(self, services: Services, chosen: Summary) -> None:
        super().__init__(f"Save {chosen.ref.name}")
        self.summary = chosen
        self.picture = services.store.clusters[chosen.ref.uid]
        self._now = self.picture.cluster_now(services.clock.now())
        self._choices = _choices(self.picture, self._now) if chosen.running else _NOTHING_RUNS

    def content(self) -> Iterable[Widget]:
        """What runs, what can be done about it, and how the queues come up."""
        panel = Panel(classes="dialog-text")
        panel.say(_said(self.summary))
        yield panel
        yield ChoiceList([prompt(choice) for choice in self._choices])
        if self.summary.running:
            yield _limit_row()
            yield Panel(id="save-mistake")
        if self.summary.queue is not QueueStatus.STOPPED:
            yield Tick("leave the queue paused afterwards", id="keep-paused", compact=True)
        if self.can_restore_paused:
            label = "a restore of it comes up paused, to be looked at before it runs"
            yield Tick(label, id="restore-paused", compact=True)

    def on_mount(self) -> None:
        """The default is under the cursor."""
        options = self.query_one(ChoiceList)
        options.highlighted = 0
        options.focus()

    @property
    def can_restore_paused(self) -> bool:
        """Whether that flux-core takes it."""
        from fluxstate_tui.flux.queue import restores_stopped

        broker = self.picture.broker
        return broker is not None and restores_stopped(broker.version, self.picture.queues)

    def action_plan(self) -> None:
        """Go on to the plan, unless the time cannot be read."""
        at = self.query_one(ChoiceList).highlighted
        running = self._choices[at or 0].value
        seconds: float | None = None
        if running is Running.WAIT_AT_MOST:
            try:
                seconds = parse_duration(self.query_one("#at-most", Input).value)
            except ValueError as mistake:
                self.query_one("#save-mistake", Panel).say([[(str(mistake), "$state-warn")]])
                self.query_one("#at-most", Input).focus()
                return
        self.dismiss(
            Choices(
                running=running,
                wait_seconds=seconds,
                keep_paused=self._ticked("keep-paused"),
                restore_paused=self._ticked("restore-paused"),
            )
        )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click on a choice."""
        event.stop()
        self.action_plan()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Who writes a time means to wait at most that long."""
        event.stop()
        self.query_one("#save-mistake", Panel).say([])
        if event.input.has_focus:
            wanted = [choice.value for choice in self._choices].index(Running.WAIT_AT_MOST)
            self.query_one(ChoiceList).highlighted = wanted

    def _ticked(self, name: str) -> bool:
        return any(tick.value for tick in self.query(f"#{name}").results(Tick))


_NOTHING_RUNS = (Choice(Running.WAIT, "Save it now"),)


def _choices(picture: ClusterPicture, now: float) -> tuple[Choice[Running], ...]:
    running = [job for job in picture.active.values() if job.state.running]
    outlook = until_idle(running, run_times(picture.jobs.values()), 0, now)
    work = sum(job.runtime(now) or 0.0 for job in running)
    return (
        Choice(Running.WAIT, "Wait until they are done", waiting_words(outlook)),
        Choice(Running.WAIT_AT_MOST, "Wait for a time", "then the save stops and puts all back"),
        Choice(Running.CANCEL, "Cancel them", f"saved as CANCELED; {age(work)} of work is lost"),
        Choice(Running.LEAVE, "Save while they run", "they come back FAILED after a restore"),
    )


def _said(chosen: Summary) -> list[list[Part]]:
    pending = f"{chosen.pending or 0} pending"
    if not chosen.running:
        return [[(f"No job is running, {pending}.", "")]]
    rows: list[list[Part]] = [[(f"{plural(chosen.running, 'job')} running, {pending}.", "")]]
    if chosen.queue is not QueueStatus.STOPPED:
        rows.append([("The queue is paused until the save is done.", "")])
    return [*rows, [("Jobs that run while it is dumped would come back FAILED.", "")]]


def _limit_row() -> Horizontal:
    label, hint = Line(classes="dialog-label"), Line(classes="dialog-note")
    label.say([("time", "$muted")])
    hint.say([("90s 10m 1.5h 2d", "$muted")])
    return Horizontal(label, Input(AT_MOST, id="at-most", compact=True), hint, classes="dialog-row")


def waiting_words(found: Outlook) -> str:
    """How long the running jobs will take, and by what that is known."""
    known = found.limited + found.guessed
    if not known:
        return "nobody knows how long: they have no time limit"
    if found.unknown:
        rest = f"{found.unknown} of {known + found.unknown} have no time limit"
        return f"{age(found.seconds)} or more: {rest}"
    if not found.guessed:
        return f"at most {age(found.seconds)}, by their time limits"
    time = "any moment" if found.seconds < 1 else f"about {age(found.seconds)}"
    return f"{time}, going by earlier jobs of the same name"
