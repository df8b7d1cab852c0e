"""An operation on the screen: plan, preview, consent, steps with read-back, outcome."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.choices import Choices
from fluxstate_tui.operations.plan import ConsentKind, Plan
from fluxstate_tui.screens.actions import Kind
from fluxstate_tui.screens.consent_bar import ConsentBar
from fluxstate_tui.screens.helper_pod import with_helper_pod
from fluxstate_tui.screens.live import LiveScreen
from fluxstate_tui.screens.operation_rows import (
    end_rows,
    error_rows,
    preview_rows,
    running_line,
    step_rows,
)
from fluxstate_tui.screens.operation_run import OperationRun
from fluxstate_tui.screens.services import Services
from fluxstate_tui.widgets.background import in_background
from fluxstate_tui.widgets.line import Part
from fluxstate_tui.widgets.panel import Panel


class OperationScreen(LiveScreen):
    """Nothing happens before consent. Leaving the screen does not stop a running operation."""

    CSS_PATH = "inner.tcss"
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
        kind: Kind,
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
        return [self.ref.name, self.kind]

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
            text = f"{self.run.title} goes on. {self.kind[0]} shows it again."
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
        from fluxstate_tui.screens.locked import until_free

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
            if self.ready:
                self.query_one("#preview", Panel).say(error_rows(self.kind, error))
            return
        if not self.ready:  # left meanwhile
            await operation.close()
            return
        self.run = OperationRun(operation)
        self.show_run()
        if operation.plan.consent.kind is ConsentKind.NONE:
            self._start()
        else:
            self.query_one(ConsentBar).ask(operation.plan.consent)

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
