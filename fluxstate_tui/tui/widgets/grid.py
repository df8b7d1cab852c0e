"""A live table of any size: the Line API, so that a change costs what is visible of it."""

from __future__ import annotations

import asyncio
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from fluxstate_tui.live.selection import NotWantedError, StillSelection
from fluxstate_tui.tui.text import fit, visible
from fluxstate_tui.tui.theme import tone_style
from fluxstate_tui.tui.widgets.inputs import in_background

# Columns of a grid as plain data, and how they share the width that there is.

R = TypeVar("R")

SPARED: Final = 5
"""Columns of this rank and above go before a name is cut."""


def _never(_row: Any) -> bool:
    return False


class Column(Struct, Generic[R], frozen=True):
    """One column. `value` gets the row and the time; `tone` names the colour of a cell.

    `width` is in cells and the least it takes; `flex` is its share of what is left over.
    `rank` 0 is never dropped, the highest rank goes first when the terminal is narrow.
    `ticks` says whether a row's text changes by time alone. `extra` ones are shown only to those
    who choose them. `grow` is how many cells more it may take for its longest text, at the cost
    of columns of rank SPARED and above. `tail` says whether the end of a row's text says more than
    its beginning, and so stays when it is cut.
    """

    key: str
    title: str
    width: int
    value: Callable[[R, float], str]
    align: str = "left"
    tone: Callable[[R], str] | None = None
    sort: Callable[[R], Any] | None = None
    flex: int = 0
    rank: int = 0
    ticks: Callable[[R], bool] = _never
    extra: bool = False
    grow: int = 0
    tail: Callable[[R], bool] | None = None


class Placed(Struct, Generic[R], frozen=True):
    """A column with the width and the gap before it that it got."""

    column: Column[R]
    width: int
    gap: int


def place(
    columns: Sequence[Column[R]], width: int, longest: Mapping[str, int] | None = None
) -> list[Placed[R]]:
    """Fit columns into `width` cells: drop by rank, then share the rest by flex.

    Gaps are two cells where that costs no column, else one. `longest` has the cells of the longest
    text of columns that may grow, by key.
    """
    kept = _kept([_grown(c, (longest or {}).get(c.key, 0)) for c in columns], width, SPARED)
    if _needed(kept, 1) > width:
        kept = _kept(columns, width, 1)
    gap = 2 if _needed(kept, 2) <= width else 1
    spare = max(0, width - _needed(kept, gap))
    shares = sum(column.flex for column in kept)
    placed: list[Placed[R]] = []
    for index, column in enumerate(kept):
        extra = spare * column.flex // shares if shares else 0
        spare -= extra
        shares -= column.flex
        placed.append(Placed(column, column.width + extra, gap if index else 0))
    return placed


def _kept(columns: Sequence[Column[R]], width: int, rank: int) -> list[Column[R]]:
    """Drop columns of that rank and above, the highest first, until the others fit."""
    kept = list(columns)
    while len(kept) > 1 and _needed(kept, 1) > width:
        least = max(range(len(kept)), key=lambda index: (kept[index].rank, index))
        if kept[least].rank < rank:
            break
        del kept[least]
    return kept


def _grown(column: Column[R], longest: int) -> Column[R]:
    more = min(column.grow, longest - column.width)
    return replace(column, width=column.width + more) if more > 0 else column


def _needed(columns: Sequence[Column[R]], gap: int) -> int:
    return sum(column.width for column in columns) + gap * max(0, len(columns) - 1)


# From a row to a line of segments: the only place where a grid's text gets its looks.

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


# The lines of a grid: which row each one shows, and how little of them is painted anew.

K = TypeVar("K", bound="int | str")

MANY = 5_000
MOST_STRIPS = 2000
MOST_CELLS = 100
MOST_MEASURED = 200


class Grid(ScrollView, Generic[K, R], can_focus=True):
    """Rows by key. The cursor follows the key, not the line, from when the rows were first shown.

    `show` gives the rows (a mapping that the owner goes on changing), `patch` says which keys
    changed, `tick` lets time pass. Only visible lines that look different are painted: the strip of
    each row that was painted is kept.

    Where keys act on the row under the cursor (`acted_on`) it goes to no other row but by the user:
    when its row goes away there is none until the user moves or the row comes back. `identity` is
    what a row and its successor under another key have in common: then it goes to that.
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

    class Reselected(Message):
        """Rows of a `still` grid were put in order or filtered just now."""

    class Marked(Highlighted):
        """Other rows are marked than before."""

    class Ordered(Message):
        """The user chose another order with the mouse."""

    def __init__(
        self,
        columns: Sequence[Column[R]],
        *,
        now: Callable[[], float] = time.time,
        natural: Callable[[R], Any] | None = None,
        empty: str = "Nothing here.",
        identity: Callable[[R], Any] | None = None,
        acted_on: bool = False,
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
        self._empty = empty
        self._still = still
        self._orderings = 0
        self._all: Mapping[K, R] = {}
        self._identity = identity
        self._acted_on = acted_on
        self._identities: dict[K, Any] = {}
        self._cursor: K | None = None
        self._wanted: K | None = None
        """What the user chose: the cursor comes back to it when a filter shows it again."""
        self._line = 0
        self._moved_by_user = False
        self._refiltered = False
        self._reordered = False
        self._strips: dict[K, Strip] = {}
        self._cursor_strip: Strip | None = None
        self._known_painter: GridPainter[R] | None = None
        self._longest: dict[str, int] = {}

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
            await asyncio.to_thread(old.clear_in_chunks)

    def patch(self, changed: Iterable[K]) -> None:
        """Some rows are new, changed or gone from the mapping that was given to `show`."""
        changed = set(changed)
        before = self.visible_keys()
        moved = self.selection.patch(changed)
        for key in changed:
            self._strips.pop(key, None)
        if moved:
            self._follow_cursor()
        shown = self.visible_keys()
        self._measure(key for key in shown if key in changed)
        lines = [
            line
            for line, key in enumerate(shown)
            if key in changed or line >= len(before) or before[line] != key
        ]
        self._paint([*lines, *range(len(shown), len(before))])

    def tick(self) -> None:
        """Time passed: paint the visible rows whose text changed by it."""
        painter, rows, top = self._painter, self.selection.rows, self.scroll_offset.y
        changed: list[int] = []
        for line, key in enumerate(self.visible_keys()):
            if not painter.ticks(rows[key]):
                continue
            known = self._cursor_strip if key == self._cursor else self._strips.pop(key, None)
            if self._strip_at(top + line, painter) != known:
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

    def order_by(self, column_key: str | None, reverse: bool) -> None:
        """Sort by that column; None is the natural order, that of the keys unless told."""
        column = next((c for c in self.every if c.key == column_key), None)
        self.sorted_by = column.key if column is not None and column.sort is not None else None
        self.selection.sort = column.sort if column is not None else self._natural
        self.selection.reverse = reverse
        self._reordered = not self._moved_by_user
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
        self._refiltered = True
        self._reselect()

    def choose(self) -> None:
        """What is under the cursor is what the user wants, however it came there."""
        self._wanted = self._cursor

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
        self._go(self._line if self._cursor is None else self._line + lines)

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

    def on_focus(self) -> None:
        """The cursor shows where keys go."""
        self._paint([self._line - self.scroll_offset.y])

    def on_blur(self) -> None:
        """The cursor shows that keys go elsewhere."""
        self._paint([self._line - self.scroll_offset.y])

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
        before, top = self._line, self.scroll_offset.y
        was_visible = 0 <= before - top < self.size.height - 1
        self._set_cursor(self._line_to_follow())
        if self._reordered and len(self.selection):
            self._wanted, self._reordered = self._cursor, False
        self._refiltered = False
        if self._wanted is None:
            self._wanted = self._cursor
        if before != self._line:
            self._paint([before - top, self._line - top])
        if was_visible:
            self._scroll_to_cursor()

    def _line_to_follow(self) -> int | None:
        """Where the cursor belongs now; None where it would be on a row that nobody chose."""
        count = len(self.selection)
        if not count or self._reordered:
            return 0
        chosen = (self._cursor, self._wanted)
        for key in reversed(chosen) if self._refiltered else chosen:
            line = None if key is None else self._line_of(key)
            if line is not None:
                return line
        if not self._acted_on or self._refiltered or self._wanted is None:
            return min(self._line, count - 1)
        return None

    def _line_of(self, key: K) -> int | None:
        """The line of that row, or of its successor; None if neither is shown."""
        rows = self.selection.rows
        if key not in rows and self._identity is not None and key in self._identities:
            same = self._identities[key]
            found = next((k for k, row in rows.items() if self._identity(row) == same), None)
            if found is None:
                return None
            self._identities[found] = same
            if self._wanted == key:
                self._wanted = found
            key = found
        return self.selection.index_of(key)

    def _go(self, line: int) -> None:
        before = self._line
        self._set_cursor(max(0, min(line, len(self.selection) - 1)))
        self._wanted = self._cursor
        top = self.scroll_offset.y
        self._paint([before - top, self._line - top])
        self._scroll_to_cursor()

    def _set_cursor(self, line: int | None) -> None:
        key = None
        if line is not None:
            key = self.selection.key_at(line) if line < len(self.selection) else None
            self._line = line
        if key is not None and self._identity is not None:
            kept = {k: who for k, who in self._identities.items() if k == self._wanted}
            self._identities = {**kept, key: self._identity(self.selection.rows[key])}
        if key != self._cursor:
            self._cursor = key
            self.post_message(self.Highlighted(self, key))

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

    # Painting ---------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        """Another theme or pseudo class: no strip looks as it did."""
        super().notify_style_update()
        self._strips.clear()
        self._known_painter = None

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

    def visible_keys(self) -> list[K]:
        """The rows on the screen, from top to bottom."""
        top = self.scroll_offset.y
        return self.selection.between(top, top + max(0, self.size.height - 1))

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
        return self._strip_at(line, painter)

    def _strip_at(self, line: int, painter: GridPainter[R]) -> Strip:
        """That row's line as it was painted last, or as it is now if that is not known."""
        key = self.selection.key_at(line)
        if key == self._cursor:
            name = "cursor" if self.has_focus else "cursor-blurred"
            self._cursor_strip = self._row_strip(painter, key, name)
            return self._cursor_strip
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
