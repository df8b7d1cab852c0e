"""A grid with its filter line and its order: what every list of the dashboard is."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import asdict, replace
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import AwaitMount
from textual.widgets import Input

from fluxstate_tui.live.filters import FilterError, FilterField, parse_filter
from fluxstate_tui.private_files import private_folder, write_private
from fluxstate_tui.tui.widgets.grid import Column, Grid
from fluxstate_tui.tui.widgets.lines import Line

# What a user chose for a table, kept from one session to the next.
#
# The file is a convenience: one that is broken or cannot be written means defaults, never an error.

FILE: Final = "tables.json"


class TableChoice(Struct, frozen=True):
    """`columns` are keys in the order that they are shown, None as it was at first.

    `order` is (column or None, reversed), None as it was at first.
    """

    columns: tuple[str, ...] | None = None
    order: tuple[str | None, bool] | None = None
    filter: str = ""


class Preferences(Struct, frozen=True):
    """One table's place in the memory."""

    load: Callable[[], TableChoice]
    save: Callable[[TableChoice], None]

    def without_filter(self) -> Preferences:
        """The same place for rows that are others each time: a filter is not kept."""
        return Preferences(
            lambda: replace(self.load(), filter=""),
            lambda choice: self.save(replace(choice, filter="")),
        )


class Memory:
    """The choices for all tables by name. `folder` None keeps them for this session only."""

    def __init__(self, folder: Callable[[], Path] | None = None) -> None:
        self._folder = folder
        self._known: dict[str, TableChoice] | None = None

    def table(self, name: str) -> Preferences:
        """The place of the table of that name."""
        return Preferences(partial(self._load, name), partial(self._save, name))

    def _load(self, name: str) -> TableChoice:
        return self._all().get(name, TableChoice())

    def _save(self, name: str, choice: TableChoice) -> None:
        known = self._all()
        if known.get(name, TableChoice()) == choice:
            return
        known[name] = choice
        if self._folder is None:
            return
        data = json.dumps({table: asdict(kept) for table, kept in known.items()}, indent=1)
        with contextlib.suppress(OSError):
            folder = private_folder(self._folder())
            write_private(folder / FILE, data.encode())

    def _all(self) -> dict[str, TableChoice]:
        if self._known is None:
            self._known = {}
            if self._folder is not None:
                with contextlib.suppress(OSError, ValueError, RecursionError):
                    found = json.loads((self._folder() / FILE).read_text(encoding="utf-8"))
                    if isinstance(found, dict):
                        self._known = {name: _choice(value) for name, value in found.items()}
        return self._known


def _choice(value: Any) -> TableChoice:
    """As much of it as makes sense."""
    if not isinstance(value, dict):
        return TableChoice()
    columns, order, filtered = value.get("columns"), value.get("order"), value.get("filter")
    keys: tuple[str, ...] = ()
    kept = None
    if isinstance(columns, list):
        keys = tuple(key for key in columns if isinstance(key, str))
    if isinstance(order, list) and len(order) == 2 and isinstance(order[0], str | None):
        kept = (order[0], bool(order[1]))
    return TableChoice(keys or None, kept, filtered if isinstance(filtered, str) else "")


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
        identity: Callable[[R], Any] | None = None,
        acted_on: bool = False,
        still: bool = False,
        remembered: Preferences | None = None,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.grid: Grid[K, R] = Grid(
            columns,
            now=now,
            natural=natural,
            identity=identity,
            acted_on=acted_on,
            still=still,
        )
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
        if line:
            self.grid.choose()
        self.grid.focus()

    def _bar(self) -> FilterBar:
        """The filter line. Made late: an input costs 40 ms of CPU before the first paint."""
        if self._filter_bar is None:
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


# The filter line under a table: hidden until asked for, mistakes explained below it.


class FilterBar(Vertical):
    """`/` opens it. Enter keeps the filter and goes back to the table, Escape clears it."""

    DEFAULT_CSS = """
    FilterBar { height: auto; display: none; background: $surface; padding: 0 1; }
    FilterBar.-open { display: block; }
    FilterBar > Horizontal { height: 1; }
    FilterBar #filter-sign { width: 2; padding: 0; color: $accent; }
    FilterBar Input {
        width: 1fr; height: 1; border: none; padding: 0; background: $surface;
    }
    FilterBar Input:focus { border: none; }
    FilterBar #filter-count { width: 26; padding: 0 0 0 1; }
    FilterBar > #filter-mistake { padding: 0 0 0 2; display: none; }
    FilterBar.-mistaken > #filter-mistake { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", "clear", id="filter.clear"),
        Binding("enter,down", "keep", "keep", id="filter.keep", key_display="↵", priority=True),
    ]

    class Changed(Message):
        """Another filter line was written (empty: no filter)."""

        def __init__(self, line: str) -> None:
            super().__init__()
            self.line = line

    class Left(Message):
        """The user goes back to the table."""

    def __init__(self) -> None:
        super().__init__()
        self._input = Input(placeholder="text  state:run  nodes:>2  !name:test", compact=True)
        self._count = Line(id="filter-count")
        self._mistake = Line(id="filter-mistake")

    def compose(self) -> ComposeResult:
        """Sign, input and count; below them a line for a mistake."""
        sign = Line(id="filter-sign")
        sign.say([("/", "$accent bold")])
        yield Horizontal(sign, self._input, self._count)
        yield self._mistake

    def open(self) -> None:
        """Show it and write in it."""
        self.add_class("-open")
        self.screen.set_focus(self._input)

    @property
    def line(self) -> str:
        """The filter as it is written."""
        return self._input.value

    def explain(self, mistake: str) -> None:
        """Say what is wrong with the filter."""
        self._mistake.say([(mistake, "$state-warn")])
        self._count.say([])
        self.add_class("-mistaken")

    def count(self, text: str) -> None:
        """Say how many rows pass; '' without a filter."""
        self._count.say([(text, "$muted")])
        self.remove_class("-mistaken")

    def write(self, line: str) -> None:
        """Write a filter for the user and show it."""
        self.set_class(bool(line), "-open")
        self._input.value = line

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while the user types."""
        event.stop()
        self.post_message(self.Changed(event.value))

    def action_keep(self) -> None:
        """Back to the table; an empty filter line goes away."""
        if not self.line:
            self.remove_class("-open")
        self.post_message(self.Left())

    def action_clear(self) -> None:
        """No filter any more."""
        self._input.value = ""
        self.remove_class("-open")
        self.post_message(self.Left())
