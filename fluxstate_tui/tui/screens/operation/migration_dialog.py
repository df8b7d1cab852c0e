"""Where a living MiniCluster shall go: another size, name, namespace, context or image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.formatting import plural
from fluxstate_tui.live.summary import Summary
from fluxstate_tui.operations.base import Choices, Running
from fluxstate_tui.tui.screens.dialog import Dialog, KnownInput, SizeInput
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.theme import INNER_CSS
from fluxstate_tui.tui.widgets.inputs import in_background
from fluxstate_tui.tui.widgets.lines import Line, Panel

RUNNING: Final = {"wait for them": Running.WAIT, "cancel them": Running.CANCEL}
SAME: Final = "the same"


class MigrateDialog(Dialog[Choices]):
    """What stays empty stays as it is."""

    CSS_PATH = INNER_CSS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "plan", "plan it", id="migrate.plan", key_display="↵", priority=True),
        Binding("tab", "app.focus_next", "next line", id="migrate.next", key_display="tab"),
    ]

    def __init__(self, services: Services, chosen: Summary) -> None:
        super().__init__(f"Migrate {chosen.ref.name}")
        self.services = services
        self.summary = chosen
        self._current = ""

    def content(self) -> Iterable[Widget]:
        """The lines of the form, and in one sentence how it will go."""
        ref = self.summary.ref
        yield _row("nodes", SizeInput(self.summary.size), f"it has {self.summary.size}")
        yield _row("name", KnownInput(id="to-name", placeholder=ref.name))
        yield _row("namespace", KnownInput(id="to-namespace", placeholder=ref.namespace))
        yield _row("context", KnownInput(id="to-context", placeholder=SAME))
        yield _row("image", KnownInput(id="image", placeholder=SAME))
        if self.summary.running:
            answers = tuple(RUNNING)
            line = KnownInput(id="running", known=answers, placeholder=answers[0])
            yield _row("running", line, f"{plural(self.summary.running, 'job')}  ↑↓")
        yield Panel(id="migrate-way", classes="block")

    def on_mount(self) -> None:
        """The size is what is changed most. Contexts and namespaces are looked up meanwhile."""
        self.query_one("#size", Input).focus()
        self._say()
        in_background(self, self._look_up_contexts, "contexts")
        in_background(self, self._look_up_namespaces, "namespaces")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Another wish, another way; another context has other namespaces."""
        event.stop()
        if event.input.id == "to-context":
            in_background(self, self._look_up_namespaces, "namespaces")
        self._say()

    def action_plan(self) -> None:
        """Go on to the plan, if anything is to change; nothing happens yet."""
        choices = self._choices()
        if choices is not None:
            self.dismiss(choices)

    async def _look_up_contexts(self) -> None:
        try:
            names = await self.services.actions.contexts()
        except FluxstateError:
            return  # it can be written as well
        self._current = names[0] if names else ""
        self._knows("to-context", names, self._current)
        self._say()

    async def _look_up_namespaces(self) -> None:
        context = self._text("to-context")
        try:
            names = await self.services.actions.namespaces(context)
        except FluxstateError:
            names = ()
        self._knows("to-namespace", names, self.summary.ref.namespace)

    def _knows(self, field: str, names: tuple[str, ...], placeholder: str) -> None:
        line = self.query_one(f"#{field}", KnownInput)
        line.known, line.placeholder = names, placeholder or SAME
        hint = f"{len(names)} known  ↑↓" if len(names) > 1 else ""
        self.query_one(f"#{field}-hint", Line).say([(hint, "$muted")])

    def _choices(self) -> Choices | None:
        """What was chosen; None while nothing would change or something is no answer."""
        size, image, context = self.wanted_size, self._text("image"), self._text("to-context")
        context = "" if context == self._current else context
        running = self.about_running
        moves = self._moves() or bool(context)
        if size is None or running is None:
            return None
        if not (moves or image or size != self.summary.size):
            return None
        return Choices(
            running=running,
            size=size,
            image=image,
            to_name=self._text("to-name"),
            to_namespace=self._text("to-namespace"),
            to_context=context,
        )

    def _say(self) -> None:
        name, choices = self.summary.ref.name, self._choices()
        colour = "$state-warn"
        if self.wanted_size is None:
            line = "Write how many nodes it shall have: 1 or more."
        elif self.about_running is None:
            line = f"Running jobs: {' or '.join(RUNNING)}."
        elif choices is None:
            line, colour = "Say what shall change.", "$muted"
        elif choices.to_context or self._moves():
            line, colour = f"Created beside {name}, which goes when every job is there.", ""
        else:
            line, colour = f"{name} is saved and deleted first; the archive brings it back.", ""
        self.query_one("#migrate-way", Panel).say([[(line, colour)]])

    @property
    def wanted_size(self) -> int | None:
        """The number of nodes, None when none is written."""
        return self.query_one("#size", SizeInput).wanted

    @property
    def about_running(self) -> Running | None:
        """What is done with running jobs, None when it is not understood."""
        if not self.summary.running:
            return Running.WAIT
        return RUNNING.get(self._text("running") or next(iter(RUNNING)))

    def _moves(self) -> bool:
        ref = self.summary.ref
        name, namespace = self._text("to-name"), self._text("to-namespace")
        return (name or ref.name, namespace or ref.namespace) != (ref.name, ref.namespace)

    def _text(self, field: str) -> str:
        return self.query_one(f"#{field}", Input).value.strip()


def _row(name: str, entry: Input, hint: str = "") -> Horizontal:
    label, note = Line(classes="dialog-label"), Line(id=f"{entry.id}-hint", classes="dialog-note")
    label.say([(name, "$muted")])
    note.say([(hint, "$muted")])
    return Horizontal(label, entry, note, classes="dialog-row")
