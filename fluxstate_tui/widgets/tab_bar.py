"""The tabs of a screen in one line: a number to press, a name, and which one is shown."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget


class TabBar(Widget, can_focus=False):
    """`1 Queue  2 Pods …`: the chosen one stands out by weight, colour and brackets."""

    DEFAULT_CSS = """
    TabBar { height: 1; padding: 0 1; background: $surface; color: $muted; }
    """

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self.index = 0

    def choose(self, index: int) -> None:
        """Show that tab as chosen."""
        self.index = index
        self.refresh()

    def render(self) -> Content:
        """One line."""
        parts: list[tuple[str, str]] = []
        for index, label in enumerate(self.labels):
            if index == self.index:
                parts.append((f"[{index + 1} {label}]", "$accent bold"))
            else:
                parts.append((f" {index + 1} {label} ", "$muted"))
            parts.append((" ", ""))
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        """Choose the tab under the mouse."""
        left = self.styles.padding.left
        for index, label in enumerate(self.labels):
            right = left + len(label) + 4
            if left <= event.x < right:
                self.post_message(self.Chosen(index))
            left = right + 1
