"""A live table of any size: the Line API, so that a change costs what is visible of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from fluxstate_tui.store.still import NotWantedError
from fluxstate_tui.widgets.background import in_background
from fluxstate_tui.widgets.columns import Column
from fluxstate_tui.widgets.grid_canvas import MOST_MEASURED, GridCanvas

K = TypeVar("K", bound="int | str")
R = TypeVar("R")

MANY = 5_000


class Grid(GridCanvas[K, R], can_focus=True):
    """Rows by key. The cursor follows the key, not the line.

    `show` gives the rows (a mapping that the owner goes on changing), `patch` says which keys
    changed, `tick` lets time pass. Only visible lines that look different are painted.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False, id="grid.up"),
        Binding("down", "move(1)", "Down", show=False, id="grid.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="grid.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="grid.page_down"),
        Binding("home", "move(-1000000000)", "First row", show=False, id="grid.first"),
        Binding("end", "move(1000000000)", "Last row", show=False, id="grid.last"),
        Binding("space", "mark", "Mark", show=False, id="grid.mark"),
        Binding("asterisk", "mark_all", "Mark all or none", show=False, id="grid.mark_all"),
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
        super().__init__(columns, now, empty, id)
        self._natural = natural
        self._still = still
        self._orderings = 0
        self._all: Mapping[K, R] = {}
        self._cursor: K | None = None
        self._moved_by_user = False

    class Reselected(Message):
        """Rows of a `still` grid were put in order or filtered just now."""

    class Marked(Highlighted):
        """Other rows are marked than before."""

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
        shown = self._visible_keys()
        self._measure(key for key in shown if key in changed)
        lines = [
            line
            for line, key in enumerate(shown)
            if key in changed or line >= len(before) or before[line] != key
        ]
        self._paint([*lines, *range(len(shown), len(before))])

    def order_by(self, column_key: str | None, reverse: bool) -> None:
        """Sort by that column; None is the natural order, that of the keys unless told."""
        column = next((c for c in self.every if c.key == column_key), None)
        self.sorted_by = column.key if column is not None and column.sort is not None else None
        self.selection.sort = column.sort if column is not None else self._natural
        self.selection.reverse = reverse
        self._reselect()

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

    def unmark(self) -> None:
        """No row is marked any more."""
        for key in self.marked:
            self._strips.pop(key, None)
        self.marked.clear()
        self.refresh()
        self.post_message(self.Marked(self, self._cursor))

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
        self._paint([self._line - self.scroll_offset.y])
        self.post_message(self.Marked(self, self._cursor))
        self.action_move(1)

    def action_mark_all(self) -> None:
        """Mark all rows that pass the filter; when all of them are marked, none."""
        shown = set(self.selection.between(0, len(self.selection)))
        if shown <= self.marked:
            self.marked -= shown
        else:
            self.marked |= shown
        self._strips.clear()
        self.refresh()
        self.post_message(self.Marked(self, self._cursor))

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
        self._measure(self.selection.between(0, MOST_MEASURED))
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
        top = self.scroll_offset.y
        self._paint([before - top, self._line - top])
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

    def on_resize(self) -> None:
        """Place the columns anew."""
        self._strips.clear()
        self._resize_virtual()
        self._scroll_to_cursor()
