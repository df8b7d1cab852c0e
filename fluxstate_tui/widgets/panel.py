"""A titled block of plain text lines: reasons, evidence, previews, details."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content
from textual.widgets import Static

from fluxstate_tui.widgets.line import Part
from fluxstate_tui.widgets.plain import visible

Row = tuple[Part, ...]


class Panel(Static):
    """Lines of (text, style) parts under a quiet title. Text wraps and is never markup."""

    DEFAULT_CSS = """
    Panel { height: auto; padding: 0 1; color: $foreground; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._rows: tuple[Row, ...] = ()

    def say(self, rows: Iterable[Iterable[Part]], title: str = "") -> None:
        """Show these lines, and paint only if they are different."""
        new = tuple(tuple((visible(t[:4000]), style) for t, style in row) for row in rows)
        if title:
            new = (((title, "$muted bold"),), *new)
        if new != self._rows:
            self._rows = new
            lines = [Content.assemble(*row) for row in new]
            self.update(Content("\n").join(lines))

    @property
    def text(self) -> str:
        """What it says, without styles."""
        return "\n".join("".join(text for text, _ in row) for row in self._rows)


def pairs(items: Iterable[tuple[str, str]], width: int = 10, limit: int = 400) -> list[Row]:
    """`key value` lines with the values in one column; empty ones are left out, long ones cut."""
    return [
        ((f"{key:<{width}} ", "$muted"), (value[:limit] + "…" * (len(value) > limit), ""))
        for key, value in items
        if value
    ]
