"""The lines of a grid: which row each one shows, and how little of them is painted anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from rich.cells import cell_len
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from fluxstate_tui.store.still import StillSelection
from fluxstate_tui.widgets.columns import Column
from fluxstate_tui.widgets.grid_painter import GridPainter
from fluxstate_tui.widgets.plain import visible

K = TypeVar("K", bound="int | str")
R = TypeVar("R")

MOST_STRIPS = 2000
MOST_CELLS = 100
MOST_MEASURED = 200


class GridCanvas(ScrollView, Generic[K, R]):
    """Paints the rows of a selection below a header. It keeps the strip of each row it painted."""

    DEFAULT_CSS = """
    GridCanvas {
        background: $background;
        color: $foreground;
        height: 1fr;
        overflow-x: hidden;
        scrollbar-gutter: stable;
    }
    """

    def __init__(
        self, columns: Sequence[Column[R]], now: Callable[[], float], empty: str, id: str | None
    ) -> None:
        super().__init__(id=id)
        self.every = tuple(columns)
        self.columns = tuple(column for column in columns if not column.extra)
        self.marked: set[K] = set()
        self.selection: StillSelection[K, R] = StillSelection({})
        self.sorted_by: str | None = None
        self._now = now
        self._empty = empty
        self._line = 0
        self._strips: dict[K, Strip] = {}
        self._known_painter: GridPainter[R] | None = None
        self._longest: dict[str, int] = {}

    def tick(self) -> None:
        """Time passed: paint the visible rows whose text changed by it."""
        painter, rows = self._painter, self.selection.rows
        changed: list[int] = []
        for line, key in enumerate(self._visible_keys()):
            known = self._strips.get(key)
            if known is None or not painter.ticks(rows[key]):
                continue
            strip = self._row_strip(painter, key)
            if strip != known:
                self._strips[key] = strip
                changed.append(line)
        self._paint(changed)

    def choose_columns(self, keys: Sequence[str] | None) -> None:
        """Show these columns in this order; None or none that there is: as it was at first."""
        known = {column.key: column for column in self.every}
        chosen = tuple(known[key] for key in keys or () if key in known)
        self.columns = chosen or tuple(column for column in self.every if not column.extra)
        self._known_painter = None
        self._strips.clear()
        self.refresh()

    def say_when_empty(self, text: str) -> None:
        """What to read where no rows are: why, and what to do next."""
        if text != self._empty:
            self._empty = text
            if not len(self.selection):
                self.refresh()

    def notify_style_update(self) -> None:
        """Another theme or pseudo class: no strip looks as it did."""
        super().notify_style_update()
        self._strips.clear()
        self._known_painter = None

    def on_focus(self) -> None:
        """The cursor shows where keys go."""
        self._paint([self._line - self.scroll_offset.y])

    def on_blur(self) -> None:
        """The cursor shows that keys go elsewhere."""
        self._paint([self._line - self.scroll_offset.y])

    def render_line(self, y: int) -> Strip:
        """One line: the header at 0, below it the rows from the scroll offset on."""
        return self._line_at(y, self._painter)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines as they are, without Textual's cache of styled lines: that does for every
        line what borders, padding and opacity need, of which a grid has none."""
        painter, background = self._painter, self.background_colors[1]
        left, right = crop.column_span
        strips = [
            self._line_at(y, painter).crop_extend(left, right, painter.base)
            for y in crop.line_range
        ]
        for line_filter in self.get_line_filters():
            strips = [strip.apply_filter(line_filter, background) for strip in strips]
        return strips

    def _measure(self, keys: Iterable[K]) -> None:
        """Give columns that may grow room for these rows. They never shrink: nothing jumps."""
        now, rows = self._now(), self.selection.rows
        growing = [column for column in self.every if column.grow]
        before = dict(self._longest)
        for key in keys if growing else ():
            for column in growing:
                cells = cell_len(visible(column.value(rows[key], now)[:MOST_CELLS]))
                self._longest[column.key] = max(cells, self._longest.get(column.key, 0))
        if self._longest != before:
            self._known_painter = None
            self.refresh()

    def _visible_keys(self) -> list[K]:
        top = self.scroll_offset.y
        return self.selection.between(top, top + max(0, self.size.height - 1))

    def _resize_virtual(self) -> None:
        """As many lines as there are rows. The screen is laid out anew only where the scrollbar
        comes or goes: else a job more or less would cost that, and every line of the grid.
        """
        size, room = Size(self.size.width, len(self.selection) + 1), self.container_size.height
        if not room:
            self.virtual_size = size
        elif size != self.virtual_size:
            self.set_reactive(Widget.virtual_size, size)
            self.scroll_y = self.validate_scroll_y(self.scroll_y)
            needed = size.height > room
            if needed or self.show_vertical_scrollbar:
                bar = self.vertical_scrollbar
                self.show_vertical_scrollbar = bar.display = needed
                bar.window_virtual_size, bar.window_size = size.height, room

    def _paint(self, lines: Iterable[int]) -> None:
        """Paint these lines below the header, if they are in sight."""
        width, height = self.size
        regions = [Region(0, line + 1, width, 1) for line in lines if 0 <= line < height - 1]
        if regions:
            self.refresh(*regions)

    @property
    def _painter(self) -> GridPainter[R]:
        """For this width and theme; Textual works a widget's own style out anew at every call.

        The width is without the scrollbar: it comes and goes with the number of rows.
        """
        painter, width = self._known_painter, self.scrollable_content_region.width
        if painter is None or painter.width != width:
            variables = self.app.theme_variables
            painter = GridPainter(self.columns, width, self.rich_style, variables, self._longest)
            self._known_painter = painter
            self._strips.clear()
        return painter

    def _line_at(self, y: int, painter: GridPainter[R]) -> Strip:
        if y == 0:
            return painter.header(self.sorted_by, self.selection.reverse)
        line = self.scroll_offset.y + y - 1
        if line >= len(self.selection):
            return self._empty_line(y, painter)
        key = self.selection.key_at(line)
        if line == self._line:
            name = "cursor" if self.has_focus else "cursor-blurred"
            return self._row_strip(painter, key, name)
        strip = self._strips.get(key)
        if strip is None:
            if len(self._strips) > MOST_STRIPS:
                self._strips.clear()
            strip = self._strips[key] = self._row_strip(painter, key)
        return strip

    def _row_strip(self, painter: GridPainter[R], key: K, cursor: str = "") -> Strip:
        row, marked = self.selection.rows[key], key in self.marked
        return painter.row(row, self._now(), cursor=cursor, marked=marked)

    def _empty_line(self, y: int, painter: GridPainter[R]) -> Strip:
        if len(self.selection):
            return painter.message("")
        lines = painter.wrapped(self._empty)
        return painter.message(lines[y - 2] if 2 <= y < 2 + len(lines) else "")
