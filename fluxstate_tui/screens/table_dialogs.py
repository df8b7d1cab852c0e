"""What every table can be asked for: another set of columns, and one row in full."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList

from fluxstate_tui.screens.dialog import Dialog
from fluxstate_tui.widgets.choice_list import ChoiceList
from fluxstate_tui.widgets.columns import Column
from fluxstate_tui.widgets.line import Part
from fluxstate_tui.widgets.panel import Panel

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
