"""One line of styled text with a left and a right part: headers, summaries, hints."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from fluxstate_tui.widgets.plain import fit, visible

Part = tuple[str, str]

RIGHT_AT_LEAST = 14


class Line(Widget, can_focus=False):
    """`say` shows parts of (text, style). Where both do not fit, the right part is cut first.

    It keeps a few cells, enough for a glyph and a word; then the left part is cut.

    Styles are theme variables such as `$state-ok`. Text is plain: it is never read as markup.
    """

    DEFAULT_CSS = """
    Line { height: 1; padding: 0 1; color: $foreground; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._left: tuple[Part, ...] = ()
        self._right: tuple[Part, ...] = ()

    def say(self, left: Iterable[Part], right: Iterable[Part] = ()) -> None:
        """Show this, and paint only if it is different."""
        new_left = tuple((visible(text[:2000]), style) for text, style in left)
        new_right = tuple((visible(text[:2000]), style) for text, style in right)
        if (new_left, new_right) != (self._left, self._right):
            self._left, self._right = new_left, new_right
            self.refresh()

    @property
    def text(self) -> str:
        """What it says, without styles."""
        return "".join(text for text, _ in (*self._left, *self._right))

    def render(self) -> Content:
        """The line, exactly as wide as there is room."""
        width = self.content_size.width
        needed = _cells(self._left) + 1
        right = _cut(self._right, max(width - needed, min(width, RIGHT_AT_LEAST)))
        room = max(0, width - _cells(right))
        left = _cut(self._left, room - 1 if right and room else room)
        gap = " " * max(0, room - _cells(left))
        return Content.assemble(*left, gap, *right)


def _cells(parts: Iterable[Part]) -> int:
    return sum(cell_len(text) for text, _ in parts)


def _cut(parts: Iterable[Part], width: int) -> list[Part]:
    kept: list[Part] = []
    for text, style in parts:
        cells = cell_len(text)
        if cells > width:
            if width > 0:
                kept.append((fit(text, width), style))
            break
        kept.append((text, style))
        width -= cells
    return kept
