"""Columns of a grid as plain data, and how they share the width that there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

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
