"""One line of styled text with a left and a right part: headers, summaries, hints."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from fluxstate_tui.widgets.hanging import hang_at_most
from fluxstate_tui.widgets.plain import fit, visible

Part = tuple[str, str]

RIGHT_AT_LEAST = 14


class Line(Widget, can_focus=False):
    """`say` shows parts of (text, style). Where both do not fit, the right part is cut first.

    It keeps a few cells, enough for a glyph and a word; then the left part is cut.

    With `most_lines` a left part that is too long, and has nothing at its right, goes on in as
    many lines. Styles are theme variables such as `$state-ok`. Text is plain, never markup.
    """

    DEFAULT_CSS = """
    Line { height: 1; padding: 0 1; color: $foreground; }
    Line.-may-grow { height: auto; }
    """

    def __init__(
        self, *, id: str | None = None, classes: str | None = None, most_lines: int = 1
    ) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self.most_lines = most_lines
        self.set_class(most_lines > 1, "-may-grow")
        self._left: tuple[Part, ...] = ()
        self._right: tuple[Part, ...] = ()

    def say(self, left: Iterable[Part], right: Iterable[Part] = ()) -> None:
        """Show this, and paint only if it is different."""
        new_left = tuple((visible(text[:2000]), style) for text, style in left)
        new_right = tuple((visible(text[:2000]), style) for text, style in right)
        if (new_left, new_right) != (self._left, self._right):
            self._left, self._right = new_left, new_right
            self.refresh(layout=self.most_lines > 1 and self._grown != self.size.height)

    @property
    def text(self) -> str:
        """What it says, without styles."""
        return "".join(text for text, _ in (*self._left, *self._right))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """More than one line only where that is allowed and needed."""
        return len(self._in_lines(width))

    @property
    def _grown(self) -> int:
        return len(self._in_lines(self.content_size.width))

    def _in_lines(self, width: int) -> list[Content]:
        if self.most_lines == 1 or self._right or _cells(self._left) <= width:
            return [Content()]
        return hang_at_most(self._left, width, self.most_lines)

    def render(self) -> Content:
        """The line, exactly as wide as there is room; or the lines that it needs."""
        width = self.content_size.width
        if len(lines := self._in_lines(width)) > 1:
            return Content("\n").join(lines)
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
