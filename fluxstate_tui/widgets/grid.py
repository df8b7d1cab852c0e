"""A live table of any size: the Line API, so that a change costs what is visible of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from fluxstate_tui.store.still import NotWantedError, StillSelection
from fluxstate_tui.widgets.background import in_background
from fluxstate_tui.widgets.columns import Column
from fluxstate_tui.widgets.grid_painter import GridPainter

K = TypeVar("K", bound="int | str")
R = TypeVar("R")

MANY = 5_000


class Grid(ScrollView, Generic[K, R], can_focus=True):
    """Rows by key. The cursor follows the key, not the line.

    `show` gives the rows (a mapping that the owner goes on changing), `patch` says which keys
    changed, `tick` lets time pass. Only visible lines that look different are painted.
    """

    DEFAULT_CSS = """
    Grid {
        background: $background;
        color: $foreground;
        height: 1fr;
        overflow-x: hidden;
        scrollbar-gutter: stable;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False, id="grid.up"),
        Binding("down", "move(1)", "Down", show=False, id="grid.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="grid.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="grid.page_down"),
        Binding("home", "move(-1000000000)", "First row", show=False, id="grid.first"),
        Binding("end", "move(1000000000)", "Last row", show=False, id="grid.last"),
        Binding("space", "mark", "Mark", show=False, id="grid.mark"),
    ]

    class Highlighted(Message):
        """The cursor is on another row (key None: there are no rows)."""

        def __init__(self, grid: Grid[Any, Any], key: Any) -> None:
            super().__init__()
            self.grid = grid
            self.key = key

        @property
        def control(self) -> Grid[Any, Any]:
            """The grid that sent it."""
            return self.grid

    class Opened(Highlighted):
        """A row was opened: by a double click, or by the key that the owner binds to `open`."""

    def __init__(
        self,
        columns: Sequence[Column[R]],
        *,
        now: Callable[[], float] = time.time,
        natural: Callable[[R], Any] | None = None,
        empty: str = "Nothing here.",
        still: bool = False,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.every = tuple(columns)
        self.columns = tuple(column for column in columns if not column.extra)
        self.marked: set[K] = set()
        self.selection: StillSelection[K, R] = StillSelection({})
        self.sorted_by: str | None = None
        self._now = now
        self._natural = natural
        self._still = still
        self._orderings = 0
        self._all: Mapping[K, R] = {}
        self._empty = empty
        self._cursor: K | None = None
        self._line = 0
        self._moved_by_user = False
        self._strips: dict[K, Strip] = {}
        self._known_painter: GridPainter[R] | None = None

    class Reselected(Message):
        """Rows of a `still` grid were put in order or filtered just now."""

    class Ordered(Message):
        """The user chose another order with the mouse."""

    # What the owner calls ------------------------------------------------------------------

    @property
    def cursor_key(self) -> K | None:
        """The key under the cursor, None when there are no rows."""
        return self._cursor

    def show(self, rows: Mapping[K, R]) -> None:
        """Show these rows; order, filter and, where possible, the cursor stay."""
        self.selection.rows = self._all = rows
        self._reselect()

    async def show_in_thread(self, rows: Mapping[K, R]) -> None:
        """As `show`, and return when they are shown. However many, the screen goes on meanwhile.

        Only for a grid that is `still`: its owner never changes the mapping.
        """
        self._orderings += 1
        self._all = rows
        mine, old = self._orderings, self.selection
        try:
            new = await asyncio.to_thread(old.of, rows, lambda: mine == self._orderings)
        except NotWantedError:
            return
        if new.chosen != old.chosen:
            self._reselect()  # chosen after the last look
            return
        self.selection = new
        self._reselected()
        if len(old) > MANY:
            await asyncio.to_thread(old.let_go)

    def patch(self, changed: Iterable[K]) -> None:
        """Some rows are new, changed or gone from the mapping that was given to `show`."""
        changed = set(changed)
        before = self._visible_keys()
        moved = self.selection.patch(changed)
        for key in changed:
            self._strips.pop(key, None)
        if moved:
            self._follow_cursor()
        for line, key in enumerate(self._visible_keys()):
            if line >= len(before) or before[line] != key or key in changed:
                self._paint(line)
        for line in range(len(self._visible_keys()), len(before)):
            self._paint(line)

    def tick(self) -> None:
        """Time passed: paint the visible rows whose text changed by it."""
        for line, key in enumerate(self._visible_keys()):
            row = self.selection.rows[key]
            known = self._strips.get(key)
            if known is None or not self._painter.ticks(row):
                continue
            strip = self._row_strip(key)
            if strip != known:
                self._strips[key] = strip
                self._paint(line)

    def order_by(self, column_key: str | None, reverse: bool) -> None:
        """Sort by that column; None is the natural order, that of the keys unless told."""
        column = next((c for c in self.every if c.key == column_key), None)
        self.sorted_by = column.key if column is not None and column.sort is not None else None
        self.selection.sort = column.sort if column is not None else self._natural
        self.selection.reverse = reverse
        self._reselect()

    def choose_columns(self, keys: Sequence[str] | None) -> None:
        """Show these columns in this order; None or none that there is: as it was at first."""
        known = {column.key: column for column in self.every}
        chosen = tuple(known[key] for key in keys or () if key in known)
        self.columns = chosen or tuple(column for column in self.every if not column.extra)
        self._known_painter = None
        self._strips.clear()
        self.refresh()

    def cells_in_full(self) -> list[tuple[str, str]]:
        """Title and whole text of every cell of the row under the cursor, shown or not."""
        if self._cursor is None:
            return []
        row, now = self.selection.rows[self._cursor], self._now()
        return [(column.title, column.value(row, now)) for column in self.every]

    def filter_by(self, where: Callable[[R], bool] | None) -> None:
        """Show only rows that pass."""
        self.selection.where = where
        self._reselect()

    def say_when_empty(self, text: str) -> None:
        """What to read where no rows are: why, and what to do next."""
        if text != self._empty:
            self._empty = text
            if not len(self.selection):
                self.refresh()

    def unmark(self) -> None:
        """No row is marked any more."""
        for key in self.marked:
            self._strips.pop(key, None)
        self.marked.clear()
        self.refresh()

    # Keys and mouse ------------------------------------------------------------------------

    def action_move(self, lines: int) -> None:
        """Move the cursor by that many rows."""
        self._moved_by_user = True
        self._go(self._line + lines)

    def action_page(self, pages: int) -> None:
        """Move the cursor by visible pages."""
        self.action_move(pages * max(1, self.size.height - 2))

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self._cursor is not None:
            self.post_message(self.Opened(self, self._cursor))

    def action_mark(self) -> None:
        """Mark or unmark the row under the cursor and go to the next."""
        if self._cursor is None:
            return
        self.marked ^= {self._cursor}
        self._strips.pop(self._cursor, None)
        self._paint(self._line - self.scroll_offset.y)
        self.action_move(1)

    def on_click(self, event: events.Click) -> None:
        """Header: sort by that column. Row: cursor, and open on the second click."""
        if event.y == 0:
            self._sort_at(event.x)
            return
        line = self.scroll_offset.y + event.y - 1
        if line < len(self.selection):
            self._moved_by_user = True
            self._go(line)
            if event.chain >= 2:
                self.action_open()

    def _sort_at(self, x: int) -> None:
        column = self._painter.column_at(x)
        if column is not None:
            same = self.sorted_by == column.key
            self.order_by(column.key, not self.selection.reverse if same else False)
            self.post_message(self.Ordered())

    # Cursor and scrolling ------------------------------------------------------------------

    def _reselect(self) -> None:
        if self._still:
            rows = self.selection.rows = self._all
            if len(rows) > MANY:
                in_background(self, lambda: self.show_in_thread(rows), "reselect")
                return
        self.selection.rebuild()
        self._reselected()

    def _reselected(self) -> None:
        self._strips.clear()
        self._follow_cursor()
        self.refresh()
        if self._still:
            self.post_message(self.Reselected())

    def _follow_cursor(self) -> None:
        """After rows came or went: the cursor stays on its key, or on its line if that is gone."""
        self._resize_virtual()
        count = len(self.selection)
        line = None
        if self._cursor is not None and self._moved_by_user:
            line = self.selection.index_of(self._cursor)
        if line is None:
            line = min(self._line, count - 1) if self._moved_by_user else 0
        was_visible = 0 <= self._line - self.scroll_offset.y < self.size.height - 1
        self._set_cursor(max(0, line))
        if was_visible:
            self._scroll_to_cursor()

    def _go(self, line: int) -> None:
        before = self._line
        self._set_cursor(max(0, min(line, len(self.selection) - 1)))
        self._paint(before - self.scroll_offset.y)
        self._paint(self._line - self.scroll_offset.y)
        self._scroll_to_cursor()

    def _set_cursor(self, line: int) -> None:
        key = self.selection.key_at(line) if line < len(self.selection) else None
        self._line = line
        if key != self._cursor:
            self._cursor = key
            self.post_message(self.Highlighted(self, key))

    def _scroll_to_cursor(self) -> None:
        rows = max(1, self.size.height - 1)
        top = self.scroll_offset.y
        if self._line < top:
            self.scroll_to(y=self._line, animate=False)
        elif self._line >= top + rows:
            self.scroll_to(y=self._line - rows + 1, animate=False)

    def _visible_keys(self) -> list[K]:
        top = self.scroll_offset.y
        end = min(len(self.selection), top + max(0, self.size.height - 1))
        return [self.selection.key_at(line) for line in range(top, end)]

    def _resize_virtual(self) -> None:
        self.virtual_size = Size(self.size.width, len(self.selection) + 1)

    # Painting ------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """Place the columns anew."""
        self._strips.clear()
        self._resize_virtual()
        self._scroll_to_cursor()

    def notify_style_update(self) -> None:
        """Another theme or pseudo class: no strip looks as it did."""
        super().notify_style_update()
        self._strips.clear()
        self._known_painter = None

    def on_focus(self) -> None:
        """The cursor shows where keys go."""
        self._paint(self._line - self.scroll_offset.y)

    def on_blur(self) -> None:
        """The cursor shows that keys go elsewhere."""
        self._paint(self._line - self.scroll_offset.y)

    def render_line(self, y: int) -> Strip:
        """One line: the header at 0, below it the rows from the scroll offset on."""
        painter = self._painter
        if y == 0:
            return painter.header(self.sorted_by, self.selection.reverse)
        line = self.scroll_offset.y + y - 1
        if line >= len(self.selection):
            return self._empty_line(y)
        key = self.selection.key_at(line)
        if line == self._line:
            name = "cursor" if self.has_focus else "cursor-blurred"
            return self._row_strip(key, name)
        strip = self._strips.get(key)
        if strip is None:
            if len(self._strips) > 2000:
                self._strips.clear()
            strip = self._strips[key] = self._row_strip(key)
        return strip

    def _paint(self, line: int) -> None:
        if 0 <= line < self.size.height - 1:
            self.refresh(Region(0, line + 1, self.size.width, 1))

    @property
    def _painter(self) -> GridPainter[R]:
        """For this width and theme; Textual works a widget's own style out anew at every call.

        The width is without the scrollbar: it comes and goes with the number of rows.
        """
        painter, width = self._known_painter, self.scrollable_content_region.width
        if painter is None or painter.width != width:
            variables = self.app.theme_variables
            painter = GridPainter(self.columns, width, self.rich_style, variables)
            self._known_painter = painter
            self._strips.clear()
        return painter

    def _row_strip(self, key: K, cursor: str = "") -> Strip:
        row, marked = self.selection.rows[key], key in self.marked
        return self._painter.row(row, self._now(), cursor=cursor, marked=marked)

    def _empty_line(self, y: int) -> Strip:
        if len(self.selection):
            return self._painter.message("")
        lines = self._painter.wrapped(self._empty)
        return self._painter.message(lines[y - 2] if 2 <= y < 2 + len(lines) else "")
