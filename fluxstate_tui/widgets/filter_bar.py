"""The filter line under a table: hidden until asked for, mistakes explained below it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input

from fluxstate_tui.widgets.line import Line


class FilterBar(Vertical):
    """`/` opens it. Enter keeps the filter and goes back to the table, Escape clears it."""

    DEFAULT_CSS = """
    FilterBar { height: auto; display: none; background: $surface; padding: 0 1; }
    FilterBar.-open { display: block; }
    FilterBar > Horizontal { height: 1; }
    FilterBar #filter-sign { width: 2; padding: 0; color: $accent; }
    FilterBar Input {
        width: 1fr; height: 1; border: none; padding: 0; background: $surface;
    }
    FilterBar Input:focus { border: none; }
    FilterBar #filter-count { width: 26; padding: 0 0 0 1; }
    FilterBar > #filter-mistake { padding: 0 0 0 2; display: none; }
    FilterBar.-mistaken > #filter-mistake { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", "clear", id="filter.clear"),
        Binding("enter,down", "keep", "keep", id="filter.keep", key_display="↵", priority=True),
    ]

    class Changed(Message):
        """Another filter line was written (empty: no filter)."""

        def __init__(self, line: str) -> None:
            super().__init__()
            self.line = line

    class Left(Message):
        """The user goes back to the table."""

    def __init__(self) -> None:
        super().__init__()
        self._input = Input(placeholder="text  state:run  nodes:>2  !name:test", compact=True)
        self._count = Line(id="filter-count")
        self._mistake = Line(id="filter-mistake")

    def compose(self) -> ComposeResult:
        """Sign, input and count; below them a line for a mistake."""
        sign = Line(id="filter-sign")
        sign.say([("/", "$accent bold")])
        yield Horizontal(sign, self._input, self._count)
        yield self._mistake

    def open(self) -> None:
        """Show it and write in it."""
        self.add_class("-open")
        self.screen.set_focus(self._input)

    @property
    def line(self) -> str:
        """The filter as it is written."""
        return self._input.value

    def explain(self, mistake: str) -> None:
        """Say what is wrong with the filter."""
        self._mistake.say([(mistake, "$state-warn")])
        self._count.say([])
        self.add_class("-mistaken")

    def count(self, text: str) -> None:
        """Say how many rows pass; '' without a filter."""
        self._count.say([(text, "$muted")])
        self.remove_class("-mistaken")

    def write(self, line: str) -> None:
        """Write a filter for the user and show it."""
        self.set_class(bool(line), "-open")
        self._input.value = line

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while the user types."""
        event.stop()
        self.post_message(self.Changed(event.value))

    def action_keep(self) -> None:
        """Back to the table; an empty filter line goes away."""
        if not self.line:
            self.remove_class("-open")
        self.post_message(self.Left())

    def action_clear(self) -> None:
        """No filter any more."""
        self._input.value = ""
        self.remove_class("-open")
        self.post_message(self.Left())
