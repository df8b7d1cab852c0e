"""Dialogs: a question, choices by arrow keys, Escape always means no."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, OptionList

from fluxstate_tui.tui.text import visible
from fluxstate_tui.tui.theme import INNER_CSS
from fluxstate_tui.tui.widgets.grid import Column
from fluxstate_tui.tui.widgets.inputs import ChoiceList
from fluxstate_tui.tui.widgets.lines import KeyFooter, Line, Panel, Part

T = TypeVar("T")


class Dialog(ModalScreen[T], Generic[T]):
    """A titled box over the screen; subclasses give its content."""

    CSS_PATH = INNER_CSS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "cancel", id="dialog.cancel", key_display="esc"),
    ]

    answers_from = 0.0
    """Keys that were typed before (monotonic) are no answers to what it asks."""

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


# What every table can be asked for: another set of columns, and one row in full.

PIECE = 4000
MOST = 100_000


class ColumnsDialog(Dialog[tuple[str, ...]]):
    """Space shows or hides a column, left and right move it. Gives the keys in their order."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "use these", id="columns.use", key_display="↵", priority=True),
        Binding("space", "show_or_hide", "show/hide", id="columns.toggle", priority=True),
        Binding("left", "move(-1)", "to the left", id="columns.left", priority=True),
        Binding("right", "move(1)", "to the right", id="columns.right", priority=True),
        Binding("d", "default", "as at first", id="columns.default"),
    ]

    def __init__(
        self, every: Sequence[Column[Any]], shown: Sequence[str], default: Sequence[str]
    ) -> None:
        super().__init__("Columns")
        self._titles = {column.key: column.title for column in every}
        self._default = tuple(default)
        self._arrange(shown)

    def content(self) -> Iterable[Widget]:
        """One line per column."""
        yield ChoiceList(id="columns")

    def on_mount(self) -> None:
        """The first column is under the cursor."""
        self._show(0)
        self.query_one(ChoiceList).focus()

    def action_show_or_hide(self) -> None:
        """Show or hide the column under the cursor."""
        at = self._at()
        self._shown ^= {self._order[at]}
        self._show(at)

    def action_move(self, step: int) -> None:
        """Move it by one place."""
        at = self._at()
        to = max(0, min(len(self._order) - 1, at + step))
        self._order.insert(to, self._order.pop(at))
        self._show(to)

    def action_default(self) -> None:
        """The columns that there were at first."""
        self._arrange(self._default)
        self._show(0)

    def action_choose(self) -> None:
        """Use these, if there is any."""
        if self._shown:
            self.dismiss(tuple(key for key in self._order if key in self._shown))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click."""
        event.stop()
        self.action_show_or_hide()

    def _arrange(self, shown: Sequence[str]) -> None:
        self._shown = set(shown)
        self._order = [*shown, *(key for key in self._titles if key not in self._shown)]

    def _at(self) -> int:
        return self.query_one(ChoiceList).highlighted or 0

    def _show(self, at: int) -> None:
        options = self.query_one(ChoiceList)
        marks = {True: ("✓ ", "$accent"), False: ("  ", "")}
        options.offer(
            [Content.assemble(marks[key in self._shown], self._titles[key]) for key in self._order]
        )
        options.highlighted = at


class RowDialog(Dialog[None]):
    """Every cell of a row with all of its text, also of columns that are not shown."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("z,enter", "dismiss(None)", "close", id="row.close", key_display="z"),
    ]

    def __init__(self, cells: Sequence[tuple[str, str]]) -> None:
        super().__init__(cells[0][1][:60] if cells else "")
        self._cells = cells

    def content(self) -> Iterable[Widget]:
        """Title and text of each cell."""
        panel = Panel(classes="dialog-text")
        panel.say([_row(title, text) for title, text in self._cells if text])
        yield panel

    def on_mount(self) -> None:
        """Arrow keys scroll it."""
        box = self.query_one(".dialog")
        box.can_focus = True
        box.focus()


def _row(title: str, text: str) -> list[Part]:
    row: list[Part] = [(f"{title:<10} ", "$muted")]
    row += [(text[at : at + PIECE], "") for at in range(0, min(len(text), MOST), PIECE)]
    if len(text) > MOST:
        row.append((f" … and {len(text) - MOST} characters more", "$muted"))
    return row


# Lines to write in whose up and down keys go through what there is to choose.


class KnownInput(Input):
    """`known` are the values that up and down go through; anything else may be written too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "turn(-1)", "The one before", show=False, id="known.previous"),
        Binding("down", "turn(1)", "The next one", show=False, id="known.next"),
    ]

    def __init__(self, *, id: str, known: tuple[str, ...] = (), placeholder: str = "") -> None:
        super().__init__(placeholder=placeholder, id=id, compact=True)
        self.known = known

    def action_turn(self, step: int) -> None:
        """The next known value, from the one that is written or would be meant without one."""
        if not self.known:
            return
        now = self.value or self.placeholder
        before = self.known.index(now) if now in self.known else min(0, -step)
        self.value = self.known[(before + step) % len(self.known)]


class SizeInput(Input):
    """A number of nodes: up and `+` one more, down and `-` one less, never none."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,plus", "resize(1)", "one node more", id="size.more", priority=True,
                key_display="+"),
        Binding("down,minus", "resize(-1)", "one less", id="size.less", priority=True,
                key_display="-"),
    ]  # fmt: skip

    def __init__(self, size: int, *, id: str = "size") -> None:
        # No field of digits alone: that would swallow letters, and go on with what is left.
        super().__init__(str(size), id=id, compact=True)
        self._before = size

    @property
    def wanted(self) -> int | None:
        """The number that is written, None if it is none from 1 on."""
        text = self.value.strip()
        return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else None

    def action_resize(self, step: int) -> None:
        """One node more or less."""
        self.value = str(max(1, (self.wanted or self._before) + step))
