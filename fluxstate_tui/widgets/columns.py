"""Columns of a grid as plain data, and how they share the width that there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

R = TypeVar("R")


def _never(_row: Any) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """One column. `value` gets the row and the time; `tone` names the colour of a cell.

    `width` is in cells and the least it takes; `flex` is its share of what is left over.
    `rank` 0 is never dropped, the highest rank goes first when the terminal is narrow.
    `ticks` says whether a row's text changes by time alone. `extra` ones are shown only to those
    who choose them.
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


@dataclass(frozen=True, slots=True)
class Placed(Generic[R]):
    """A column with the width and the gap before it that it got."""

    column: Column[R]
    width: int
    gap: int


def place(columns: Sequence[Column[R]], width: int) -> list[Placed[R]]:
    """Fit columns into `width` cells: drop by rank, then share the rest by flex.

    Gaps are two cells where that costs no column, else one.
    """
    kept = list(columns)
    while len(kept) > 1 and _needed(kept, 1) > width:
        least = max(range(len(kept)), key=lambda index: (kept[index].rank, index))
        if kept[least].rank == 0:
            break
        del kept[least]
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


def _needed(columns: Sequence[Column[R]], gap: int) -> int:
    return sum(column.width for column in columns) + gap * max(0, len(columns) - 1)
