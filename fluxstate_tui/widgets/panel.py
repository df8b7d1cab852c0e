"""A titled block of plain text lines: reasons, evidence, previews, details."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from fluxstate_tui.widgets.hanging import hang
from fluxstate_tui.widgets.line import Part
from fluxstate_tui.widgets.plain import visible

Row = tuple[Part, ...]


class Panel(Widget, can_focus=False):
    """Lines of (text, style) parts under a quiet title. Text is never markup.

    A long line goes on under its own text, not under its glyph or label.
    """

    DEFAULT_CSS = """
    Panel { height: auto; padding: 0 1; color: $foreground; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._rows: tuple[Row, ...] = ()
        self._laid_out: tuple[int, list[Content]] | None = None

    def say(self, rows: Iterable[Iterable[Part]], title: str = "") -> None:
        """Show these lines, and paint only if they are different."""
        new = tuple(tuple((visible(t[:4000]), style) for t, style in row) for row in rows)
        if title:
            new = (((title, "$muted bold"),), *new)
        if new != self._rows:
            self._rows, self._laid_out = new, None
            self.refresh(layout=True)

    def render(self) -> Content:
        """All lines, for the width that there is."""
        return Content("\n").join(self._lines(self.content_size.width))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as that width makes of them."""
        return len(self._lines(width)) if width else 0

    def _lines(self, width: int) -> list[Content]:
        if self._laid_out is None or self._laid_out[0] != width:
            whole = 0 if self.styles.text_wrap == "nowrap" else width
            self._laid_out = width, [line for row in self._rows for line in hang(row, whole)]
        return self._laid_out[1]

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
