"""From a row to a line of segments: the only place where a grid's text gets its looks."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from fluxstate_tui.widgets.columns import Column, Placed, place
from fluxstate_tui.widgets.plain import fit
from fluxstate_tui.widgets.tones import tone_style

R = TypeVar("R")

GUTTER = 2
MOST_MESSAGE = 2000


class GridPainter(Generic[R]):
    """Paints lines of one width in the colours of one theme; made anew when either changes."""

    def __init__(
        self,
        columns: Sequence[Column[R]],
        width: int,
        base: Style,
        variables: Mapping[str, str],
        longest: Mapping[str, int] | None = None,
    ) -> None:
        self.width = width
        self.base = base
        self.placed: list[Placed[R]] = place(columns, width - GUTTER, longest)
        self._variables = variables
        self._styles: dict[str, Style] = {}

    def row(self, row: R, now: float, *, cursor: str = "", marked: bool = False) -> Strip:
        """One row. `cursor` is the tone of the line under the cursor, '' for all others."""
        base = self.base + self._style(cursor) if cursor else self.base
        segments = [
            Segment("▌" if cursor else " ", base + self._style("accent")),
            Segment("◆" if marked else " ", base + self._style("mark")),
        ]
        for placed in self.placed:
            column = placed.column
            if placed.gap:
                segments.append(Segment(" " * placed.gap, base))
            tone = column.tone(row) if column.tone is not None else "plain"
            tail = column.tail is not None and column.tail(row)
            text = fit(column.value(row, now), placed.width, column.align, tail=tail)
            segments.append(Segment(text, base + self._style(tone)))
        return self._whole(segments, base)

    def header(self, sorted_by: str | None, reverse: bool) -> Strip:
        """The titles, with an arrow at the column that the rows are sorted by."""
        text = " " * GUTTER
        for placed in self.placed:
            title = placed.column.title
            if placed.column.key == sorted_by:
                title += "▼" if reverse else "▲"
            text += " " * placed.gap + fit(title, placed.width, placed.column.align)
        return self._whole([Segment(text, self.base + self._style("header"))], self.base)

    def wrapped(self, text: str) -> list[str]:
        """A message in lines that fit: why there is nothing, and what to do, must be readable."""
        width, text = max(1, self.width - GUTTER), text[:MOST_MESSAGE]
        lines = [textwrap.wrap(line, width, break_on_hyphens=False) for line in text.split("\n")]
        return [part for parts in lines for part in parts or [""]]

    def message(self, text: str) -> Strip:
        """A quiet line of text instead of a row."""
        shown = " " * GUTTER + fit(text, self.width - GUTTER)
        return self._whole([Segment(shown, self.base + self._style("off"))], self.base)

    def ticks(self, row: R) -> bool:
        """Whether time alone can change what this row says."""
        return any(placed.column.ticks(row) for placed in self.placed)

    def column_at(self, x: int) -> Column[R] | None:
        """The column under that cell."""
        left = GUTTER
        for placed in self.placed:
            left += placed.gap + placed.width
            if x < left:
                return placed.column
        return None

    def _style(self, tone: str) -> Style:
        style = self._styles.get(tone)
        if style is None:
            style = self._styles[tone] = tone_style(tone, self._variables)
        return style

    def _whole(self, segments: list[Segment], base: Style) -> Strip:
        return Strip(segments).crop_extend(0, self.width, base)
