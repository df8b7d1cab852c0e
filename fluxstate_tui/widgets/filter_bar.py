"""The filter line under a table: hidden until asked for, mistakes explained beside it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from fluxstate_tui.widgets.line import Line


class FilterBar(Horizontal):
    """`/` opens it. Enter keeps the filter and goes back to the table, Escape clears it."""

    DEFAULT_CSS = """
    FilterBar { height: 1; display: none; background: $surface; padding: 0 1; }
    FilterBar.-open { display: block; }
    FilterBar > #filter-sign { width: 2; padding: 0; color: $accent; }
    FilterBar > Input {
        width: 2fr; height: 1; border: none; padding: 0; background: $surface;
    }
    FilterBar > Input:focus { border: none; }
    FilterBar > #filter-mistake { width: 3fr; padding: 0 0 0 1; }
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
        self._mistake = Line(id="filter-mistake")

    def compose(self) -> ComposeResult:
        """Sign, input, and room for a mistake."""
        sign = Line(id="filter-sign")
        sign.say([("/", "$accent bold")])
        yield sign
        yield self._input
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

    def count(self, text: str) -> None:
        """Say how many rows pass; '' without a filter."""
        self._mistake.say([(text, "$muted")])

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
