"""An operation on the screen: plan, preview, consent, steps with read-back, outcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, ClassVar, Final

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Input

from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.formatting import Word
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import (
    Choices,
    Consent,
    ConsentKind,
    News,
    OperationKind,
    Outcome,
    Plan,
    Step,
    StepEvent,
    StepState,
)
from fluxstate_tui.operations.registry import spec
from fluxstate_tui.tui.screens.base import LiveScreen
from fluxstate_tui.tui.screens.dialog import Choice, ChoiceDialog
from fluxstate_tui.tui.screens.helper_pod import with_helper_pod
from fluxstate_tui.tui.screens.services import OperationRun, Services
from fluxstate_tui.tui.screens.words import OUTCOMES, STEPS
from fluxstate_tui.tui.theme import INNER_CSS, color
from fluxstate_tui.tui.typed_ahead import NEVER, from_now_on
from fluxstate_tui.tui.widgets.inputs import in_background
from fluxstate_tui.tui.widgets.lines import Panel, Part

# An operation in lines of text: the preview, the steps, the outcome.

_CANCELLED: Final = Word("⊘", "cancelled", "warn")


def preview_rows(plan: Plan) -> list[list[Part]]:
    """What will happen and what is lost, under the name of the operation."""
    title: list[Part] = [
        (plan.operation.value, "$accent bold"),
        (" ", ""),
        (str(plan.target), "$foreground bold"),
    ]
    return [title, *([("  ", ""), (line, "")] for line in plan.preview)]


def step_rows(plan: Plan, said: Mapping[str, StepEvent]) -> list[list[Part]]:
    """Each step with its state, the equivalent command, and what was read back."""
    rows: list[list[Part]] = []
    for step in plan.steps:
        event = said.get(step.id)
        state = event.state if event is not None else StepState.PENDING
        word = _CANCELLED if event is not None and _was_cancelled(event) else STEPS[state]
        weight = "$muted" if state is StepState.PENDING else "$foreground bold"
        rows.append([(f"{word.glyph} ", color(word.tone)), (step.title, weight)])
        if state not in (StepState.PENDING, StepState.DONE):
            rows[-1].append((f"  {word.word}", color(word.tone)))
        if _shows_command(step, state):
            rows.append([("    $ ", "$muted"), (step.command, "$muted")])
        if event is not None and _shows_read_back(event):
            rows.append([("    ↳ ", color(word.tone)), (event.read_back, "")])
    return rows


def running_line(plan: Plan, said: Mapping[str, StepEvent]) -> int | None:
    """In which line of `step_rows` (under their title) the running step is, None if none runs."""
    before = 1
    for step in plan.steps:
        event = said.get(step.id)
        if event is not None and event.state is StepState.RUNNING:
            return before
        state = event.state if event is not None else StepState.PENDING
        before += 1 + _shows_command(step, state)
        before += event is not None and _shows_read_back(event)
    return None


def _shows_command(step: Step, state: StepState) -> bool:
    """What was skipped is no command that ran or will run."""
    return bool(step.command) and state is not StepState.SKIPPED


def _shows_read_back(event: StepEvent) -> bool:
    return bool(event.read_back) and not _was_cancelled(event)


def _was_cancelled(event: StepEvent) -> bool:
    """The user stopped it there: that is no failure of the step."""
    return event.news is News.CANCELLED


def end_rows(outcome: Outcome | None, roll_back: Sequence[str], undoing: bool) -> list[list[Part]]:
    """The outcome, or that it is on its way there; and what was put back."""
    rows: list[list[Part]] = []
    if outcome is not None:
        rows = outcome_rows(outcome)
    elif undoing:
        rows = [[("▶ What was done is being put back …", "$state-busy")]]
    return rows + [[("  back  ", "$accent"), (text, "")] for text in roll_back]


def outcome_rows(outcome: Outcome) -> list[list[Part]]:
    """What happened, what is safe, what to do."""
    word = OUTCOMES[outcome.kind]
    rows: list[list[Part]] = [
        [(str(word), f"{color(word.tone)} bold"), ("  ", ""), (outcome.reason, "")]
    ]
    if outcome.safe:
        rows.append([("  safe  ", "$state-ok"), (outcome.safe, "")])
    if outcome.advice:
        rows.append([("  do    ", "$accent"), (outcome.advice, "")])
    return rows


def error_rows(kind: OperationKind, error: FluxstateError) -> list[list[Part]]:
    """Why there is no plan at all."""
    rows: list[list[Part]] = [
        [(f"✗ {kind} is not possible  ", "$state-bad bold"), (error.message, "")]
    ]
    if error.safe:
        rows.append([("  safe  ", "$state-ok"), (error.safe, "")])
    if error.advice:
        rows.append([("  do    ", "$accent"), (error.advice, "")])
    return rows


# The question before anything happens, always in sight: no is the default.


class ConsentBar(Vertical):
    """`ask` shows the question; the answer comes as a message. Where something would be lost, yes
    works only when the word is typed exactly."""

    class Answered(Message):
        """Yes with what was typed, or no."""

        def __init__(self, yes: bool, typed: str = "") -> None:
            super().__init__()
            self.yes = yes
            self.typed = typed

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "turn(-1)", "No or yes", show=False, id="consent.left"),
        Binding("right", "turn(1)", "choose", id="consent.right", key_display="←→",
                tooltip="No or yes"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__(id="consent-bar")
        self._word: str | None = None
        self._question = ""

    def compose(self) -> ComposeResult:
        """The question, and the ways to answer it."""
        yield Panel(id="question")
        yield Horizontal(
            Input(id="word", compact=True),
            Button("Back", id="no", compact=True),
            Button("Go ahead", id="yes", compact=True),
            id="consent",
        )

    def on_mount(self) -> None:
        """Nothing is asked yet."""
        self.display = False

    @property
    def asking(self) -> bool:
        """The question is on the screen."""
        return bool(self.display)

    def ask(self, consent: Consent) -> None:
        """Show it, with the keys on the safe answer or where the word is typed."""
        typed = consent.kind is ConsentKind.TYPE_NAME
        self._word = consent.word if typed else None
        self._question = consent.question
        self._say(f"Type {consent.word} to go ahead." if typed else "", "$muted")
        word, yes, no = (
            self.query_one("#word", Input),
            self.query_one("#yes", Button),
            self.query_one("#no", Button),
        )
        word.display = typed
        word.placeholder = "type it here"  # the word itself would look as if it were typed
        yes.disabled = typed and word.value.strip() != consent.word
        self.display = True
        (word if typed else no).focus()

    def hide(self) -> None:
        """It was answered."""
        self.display = False

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Yes or no."""
        event.stop()
        self._answer(event.button.id == "yes")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Go ahead only when the word is typed exactly."""
        event.stop()
        self.query_one("#yes", Button).disabled = event.value.strip() != self._word

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter after the word is consent too: it was typed for that."""
        event.stop()
        if event.value.strip() == self._word:
            self._answer(True)
        else:
            self._say(f"That is not {self._word}: nothing was done.", "$state-warn")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In the line where the word is typed, left and right go through its letters."""
        return action != "turn" or isinstance(self.app.focused, Button)

    def action_turn(self, step: int) -> None:
        """The other button."""
        if step > 0:
            self.screen.focus_next("#consent *")
        else:
            self.screen.focus_previous("#consent *")

    def _say(self, hint: str, tone: str) -> None:
        rows = [[(self._question, "$foreground bold")], *([[(hint, tone)]] if hint else [])]
        self.query_one("#question", Panel).say(rows)

    def _answer(self, yes: bool) -> None:
        if not self.asking:
            return  # a second key of a burst
        self.hide()
        self.post_message(self.Answered(yes, self.query_one("#word", Input).value.strip()))


class OperationScreen(LiveScreen):
    """Nothing happens before consent. Leaving the screen does not stop a running operation."""

    CSS_PATH = INNER_CSS
    HELP_TEXT = (
        "First the plan: what will happen and what would be lost. Then, after your consent, every "
        "step with the command that does the same by hand, and what was read back. A step without "
        "an answer is unknown, never done."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back", id="operation.back", key_display="esc"),
        Binding("c", "cancel", "cancel the operation", id="operation.cancel"),
        Binding("up", "scroll(-1)", "Scroll up", show=False, id="operation.up"),
        Binding("down", "scroll(1)", "Scroll down", show=False, id="operation.down"),
    ]

    def __init__(
        self,
        services: Services,
        kind: OperationKind,
        ref: ClusterRef,
        choices: Choices,
        run: OperationRun | None = None,
    ) -> None:
        super().__init__(services)
        self.kind = kind
        self.ref = ref
        self.choices = choices
        self.run = run

    def head(self) -> Iterable[Widget]:
        """What stays in sight above the rest."""
        return ()

    def body(self) -> Iterable[Widget]:
        """Preview, steps, outcome; below them, always in sight, the consent."""
        yield from self.head()
        yield VerticalScroll(
            Panel(id="preview", classes="block"),
            Panel(id="steps", classes="block"),
            Panel(id="outcome", classes="block"),
            id="operation",
        )
        yield ConsentBar()

    def crumbs(self) -> list[str]:
        """The MiniCluster and what is done to it."""
        return [self.ref.name, self.kind.value]

    def on_mount(self) -> None:
        """Plan, unless a running operation is looked at again."""
        super().on_mount()
        column = self.query_one("#operation")
        column.focus()
        # A line that wraps makes it longer later than what was said.
        self.watch(column, "virtual_size", self._scroll_to_news, init=False)
        if self.run is None:
            in_background(self, self._prepare)
        else:
            self._follow(self.run)

    def on_unmount(self) -> None:
        """A running operation is watched by nobody until one looks again."""
        super().on_unmount()
        if self.run is not None:
            self.run.changed = lambda: None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what runs can be cancelled."""
        if action == "cancel":
            return self.run is not None and self.run.running
        return True

    def on_consent_bar_answered(self, event: ConsentBar.Answered) -> None:
        """Yes starts it, no leaves."""
        event.stop()
        if event.yes:
            self._start(event.typed)
        else:
            self.action_leave()

    def action_leave(self) -> None:
        """Back; what runs goes on."""
        if self.run is not None and self.run.running:
            text = f"{self.run.title} goes on. {spec(self.kind).key} shows it again."
            self.services.tell(text, "", "information")
        elif self.run is not None and self.run.outcome is None:
            # Some operations are prepared with a helper pod: a no must not leave it behind.
            self.app.run_worker(self.run.operation.close(), exit_on_error=False)
        self.app.pop_screen()

    def action_cancel(self) -> None:
        """Stop the operation; it puts back what it did."""
        if self.run is not None:
            self.run.cancel()

    def action_scroll(self, lines: int) -> None:
        """Read on while the keys belong to the consent."""
        self.query_one("#operation").scroll_relative(y=lines, animate=False)

    async def _prepare(self) -> None:
        from fluxstate_tui.tui.screens.operation.locked import until_free

        self.answers_from = NEVER
        self._say_before("Reading the world …")
        try:
            if not await until_free(self.app, self.services, self.ref, self._say_before):
                self.app.pop_screen()
                return
            self._say_before("Reading the world …")
            actions = self.services.actions
            operation = await with_helper_pod(
                self.app,
                self.services,
                self.ref,
                lambda: actions.prepare(self.kind, self.ref, self.choices),
            )
        except FluxstateError as error:
            self.answers_from = 0.0
            if self.ready:
                self.query_one("#preview", Panel).say(error_rows(self.kind, error))
            return
        if not self.ready:  # left meanwhile
            await operation.close()
            return
        self.run = OperationRun(operation)
        self.show_run()
        if operation.plan.consent.kind is ConsentKind.NONE:
            self.answers_from = 0.0
            self._start()
        else:
            self.query_one(ConsentBar).ask(operation.plan.consent)
            self.call_after_refresh(self._take_answers)

    def _take_answers(self) -> None:
        self.answers_from = from_now_on()

    def _say_before(self, text: str) -> None:
        self.query_one("#preview", Panel).say([[(text, "$muted")]])

    def _start(self, typed: str = "") -> None:
        if self.run is None or self.run.running or self.run.outcome is not None:
            return
        self.query_one(ConsentBar).hide()
        self.query_one("#operation").focus()
        self.services.runs[self.ref.uid] = self.run
        self.run.start(typed)
        self._follow(self.run)

    def _follow(self, run: OperationRun) -> None:
        run.changed = self.show_run
        run.ended = self._tell_when_away
        self.show_run()

    def _tell_when_away(self) -> None:
        run = self.run
        if run is not None and run.outcome is not None and not self.is_attached:
            text = f"{run.outcome.kind.value}: {run.outcome.reason}"
            bad = run.outcome.exit_code != 0
            self.services.tell(text, run.title, "error" if bad else "information")

    def preview_rows(self, plan: Plan) -> list[list[Part]]:
        """What the plan says before anything happens."""
        return preview_rows(plan)

    def show_run(self) -> None:
        """Plan, steps and outcome as they are now."""
        if self.run is None or not self.ready:
            return
        plan = self.run.plan
        self.run.shown = self.run.outcome is not None
        self.query_one("#preview", Panel).say(self.preview_rows(plan))
        self.query_one("#steps", Panel).say(step_rows(plan, self.run.steps), "STEPS")
        self.query_one("#outcome", Panel).say(end_rows(*self.run.end))
        self.call_after_refresh(self._scroll_to_news)
        self.refresh_bindings()

    def _scroll_to_news(self) -> None:
        """Keep the running step, and at the end the outcome, in sight on small terminals."""
        if self.run is None or not self.ready:
            return
        column = self.query_one("#operation", VerticalScroll)
        if self.run.outcome is not None:
            column.scroll_end(animate=False)
            return
        line = running_line(self.run.plan, self.run.steps)
        if line is not None:
            top = self.query_one("#steps").virtual_region.y + line
            column.scroll_to(y=top - column.size.height // 3, animate=False)


# Quitting while an operation runs: nothing is left half done without being asked.
#
# Whoever is asked from outside (a signal, a terminal that went away) cannot ask: then what runs is
# cancelled, which puts it back.


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
