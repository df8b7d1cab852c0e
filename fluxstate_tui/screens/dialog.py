"""Dialogs: a question, choices by arrow keys, Escape always means no."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import OptionList

from fluxstate_tui.widgets.choice_list import ChoiceList
from fluxstate_tui.widgets.footer import KeyFooter
from fluxstate_tui.widgets.line import Line, Part
from fluxstate_tui.widgets.panel import Panel
from fluxstate_tui.widgets.plain import visible

T = TypeVar("T")


class Dialog(ModalScreen[T], Generic[T]):
    """A titled box over the screen; subclasses give its content."""

    CSS_PATH = "inner.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "cancel", id="dialog.cancel", key_display="esc"),
    ]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._heading = title
        self._answered = False

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Give the answer, once: a second key of a burst must not take the screen below away."""
        if self._answered:
            return AwaitComplete()
        self._answered = True
        return super().dismiss(result)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While it is made it can only be left: what would be chosen is not there yet."""
        return self.is_mounted or action == "dismiss"

    def compose(self) -> ComposeResult:
        """Title, content, keys."""
        heading = Line(classes="dialog-title")
        heading.say([(self._heading, "$accent bold")])
        with VerticalScroll(classes="dialog", can_focus=False):
            yield heading
            yield from self.content()
        yield KeyFooter()

    def content(self) -> Iterable[Widget]:
        """What stands under the title."""
        return ()


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """Something to choose: what it gives, its label, and a quiet line about what it means."""

    value: T
    label: str
    hint: str = ""


class ChoiceDialog(Dialog[T]):
    """One of a few choices; the first is the safe default. Gives None when cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "choose", id="dialog.choose", key_display="↵", priority=True),
    ]

    def __init__(
        self, title: str, lines: Sequence[Sequence[Part]], choices: Sequence[Choice[T]]
    ) -> None:
        super().__init__(title)
        self._lines = lines
        self._choices = tuple(choices)

    def content(self) -> Iterable[Widget]:
        """The lines, then the choices."""
        panel = Panel(classes="dialog-text")
        panel.say(self._lines)
        yield panel
        yield ChoiceList([prompt(choice) for choice in self._choices])

    def on_mount(self) -> None:
        """The default is under the cursor."""
        options = self.query_one(ChoiceList)
        options.highlighted = 0
        options.focus()

    def action_choose(self) -> None:
        """Give what is under the cursor."""
        highlighted = self.query_one(ChoiceList).highlighted
        if highlighted is not None:
            self.dismiss(self._choices[highlighted].value)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click on a choice."""
        event.stop()
        self.dismiss(self._choices[event.option_index].value)


def prompt(choice: Choice[T]) -> Content:
    """Its label, and under it the quiet line."""
    if not choice.hint:
        return Content(visible(choice.label))
    hint = (f"  {visible(choice.hint)}", "$muted not bold")
    return Content.assemble(visible(choice.label), "\n", hint)
