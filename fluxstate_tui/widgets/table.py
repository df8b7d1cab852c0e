"""A grid with its filter line and its order: what every list of the dashboard is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from msgspec.structs import replace
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widget import AwaitMount

from fluxstate_tui.store.filters import FilterError, FilterField, parse_filter
from fluxstate_tui.widgets.columns import Column
from fluxstate_tui.widgets.grid import Grid
from fluxstate_tui.widgets.remembered import Remembered, TableChoice

if TYPE_CHECKING:
    from fluxstate_tui.widgets.filter_bar import FilterBar

K = TypeVar("K", bound="int | str")
R = TypeVar("R")


FILTER_BAR_AFTER = 0.5


class Table(Vertical, Generic[K, R]):
    """`/` filters, `o` sorts by the next column, `O` turns the order round.

    What the user chooses is `remembered`.
    """

    BLANK = True  # the grid and the filter line cover it: nothing of its own to paint
    DEFAULT_CSS = """
    Table { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", id="table.filter", key_display="/"),
        Binding("o", "sort", "sort", id="table.sort"),
        Binding("O", "reverse", "reverse", show=False, id="table.reverse"),
        Binding("C", "ask('columns')", "Choose columns", show=False, id="table.columns"),
        Binding("z", "ask('row')", "Show the row in full", show=False, id="table.row"),
        Binding("ctrl+l", "clear", "Clear filter and marks", show=False, id="table.clear"),
    ]

    def __init__(
        self,
        columns: Sequence[Column[R]],
        fields: Mapping[str, FilterField[R]],
        *,
        now: Callable[[], float] = time.time,
        order: str | None = None,
        reverse: bool = False,
        natural: Callable[[R], Any] | None = None,
        still: bool = False,
        remembered: Remembered | None = None,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.grid: Grid[K, R] = Grid(columns, now=now, natural=natural, still=still)
        self._fields = fields
        self._order = (order, reverse)
        self._empty = "Nothing here."
        self._total: Mapping[K, R] = {}
        self._mistaken = False
        self._filter_bar: FilterBar | None = None
        self._bar_mount: AwaitMount | None = None
        self._remembered = remembered
        self._choice = remembered.load() if remembered is not None else TableChoice()
        wanted = self._choice.order or self._order
        known = wanted[0] is None or any(column.key == wanted[0] for column in columns)
        self.grid.order_by(*(wanted if known else self._order))
        self.grid.choose_columns(self._choice.columns)
        with contextlib.suppress(FilterError):
            self.grid.selection.where = parse_filter(self._choice.filter, fields)

    class Asked(Message):
        """The user wants to choose columns (`columns`), or to read the whole row (`row`)."""

        def __init__(self, table: Table[Any, Any], what: str) -> None:
            super().__init__()
            self.table = table
            self.what = what

    def compose(self) -> ComposeResult:
        """The grid; the filter line comes below it when it is asked for."""
        yield self.grid

    def show(self, rows: Mapping[K, R]) -> None:
        """Show these rows with the filter and order that the user chose."""
        self._total = rows
        self.grid.show(rows)
        self._say_how_many()

    async def show_in_thread(self, rows: Mapping[K, R]) -> None:
        """As `show`, for very many rows that never change (`still`)."""
        self._total = rows
        await self.grid.show_in_thread(rows)
        self._say_empty()

    def patch(self, changed: Iterable[K]) -> None:
        """These rows are new, changed or gone."""
        self.grid.patch(changed)
        self._say_how_many()

    def say_when_empty(self, text: str) -> None:
        """What to read when there are no rows at all."""
        self._empty = text
        self._say_empty()

    def filter(self, line: str) -> None:
        """Write a filter for the user."""
        self._bar().write(line)

    def on_mount(self) -> None:
        """Make the filter line when nobody waits any more, unless there is a filter to show."""
        if self._choice.filter:
            self.filter(self._choice.filter)
        else:
            self.set_timer(FILTER_BAR_AFTER, self._bar)

    async def action_filter(self) -> None:
        """Write a filter. What is typed next goes there: the line has the focus on return."""
        bar = self._bar()
        if self._bar_mount is not None:
            await self._bar_mount
        bar.open()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a filter is written, its own keys are enough."""
        writing = self._filter_bar is not None and self._filter_bar.has_focus_within
        return not (writing and action == "filter")

    def action_clear(self) -> None:
        """No filter and no marks."""
        if self._filter_bar is not None:
            self._filter_bar.write("")
        self.grid.unmark()
        self._remember(filter="")

    def action_ask(self, what: str) -> None:
        """A dialog is for the screen to show."""
        self.post_message(self.Asked(self, what))

    def choose_columns(self, keys: tuple[str, ...] | None) -> None:
        """Show these columns in this order from now on; None as it was at first."""
        self.grid.choose_columns(keys)
        first = tuple(column.key for column in self.grid.every if not column.extra)
        self._remember(columns=None if keys == first else keys)

    def action_sort(self) -> None:
        """Sort by the next column that can be sorted by; after the last as it was at first."""
        keys = [None, *(c.key for c in self.grid.columns if c.sort is not None)]
        now = self.grid.sorted_by  # its column may be hidden
        following = keys[((keys.index(now) if now in keys else 0) + 1) % len(keys)]
        first = following == self._order[0]
        self.grid.order_by(following, self._order[1] if first else self.grid.selection.reverse)
        self._remember_order()

    def action_reverse(self) -> None:
        """Turn the order round."""
        self.grid.order_by(self.grid.sorted_by, not self.grid.selection.reverse)
        self._remember_order()

    def on_grid_ordered(self, event: Grid.Ordered) -> None:
        """A click on a header."""
        event.stop()
        self._remember_order()

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        """Filter at once; a mistake keeps the last good filter and is explained."""
        event.stop()
        bar = self._bar()
        try:
            where = parse_filter(event.line, self._fields)
        except FilterError as mistake:
            self._mistaken = True
            bar.explain(str(mistake))
            self._say_empty()
            return
        self._mistaken = False
        self.grid.filter_by(where)
        self._say_how_many()

    def on_grid_reselected(self, event: Grid.Reselected) -> None:
        """Rows that were filtered in a thread can be counted now."""
        event.stop()
        self._say_how_many()

    def on_filter_bar_left(self, event: FilterBar.Left) -> None:
        """Back to the rows; a filter that works is remembered."""
        event.stop()
        line = self._bar().line
        with contextlib.suppress(FilterError):
            parse_filter(line, self._fields)
            self._remember(filter=line)
        self.grid.focus()

    def _bar(self) -> FilterBar:
        """The filter line. Made late: an input costs 40 ms of CPU before the first paint."""
        if self._filter_bar is None:
            from fluxstate_tui.widgets.filter_bar import FilterBar

            self._filter_bar = FilterBar()
            self._bar_mount = self.mount(self._filter_bar)
        return self._filter_bar

    def _remember_order(self) -> None:
        order = (self.grid.sorted_by, self.grid.selection.reverse)
        self._remember(order=None if order == self._order else order)

    def _remember(self, **chosen: Any) -> None:
        self._choice = replace(self._choice, **chosen)
        if self._remembered is not None:
            self._remembered.save(self._choice)

    def _say_how_many(self) -> None:
        if self._filter_bar is not None and not self._mistaken:
            shown, total = len(self.grid.selection), len(self._total)
            filtered = self.grid.selection.where is not None
            self._filter_bar.count(f"{shown} of {total}" if filtered else "")
        self._say_empty()

    def _say_empty(self) -> None:
        if self._total and not len(self.grid.selection):
            passes = "The filter has a mistake." if self._mistaken else "No row passes the filter."
            self.grid.say_when_empty(f"{passes}\nctrl+l clears it.")
        else:
            self.grid.say_when_empty(self._empty)
