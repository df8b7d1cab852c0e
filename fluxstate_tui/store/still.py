"""Putting a million rows in order in a thread, in steps so short that the screen goes on."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from fluxstate_tui.store.selection import Selection

K = TypeVar("K", bound="int | str")
R = TypeVar("R")

# A sort is one step for all other threads: 20,000 entries take some 10 ms.
_AT_ONCE = 20_000


class StillSelection(Selection[K, R]):
    """A selection of rows that never change, such as the jobs of an archive."""

    def of(self, rows: Mapping[K, R]) -> StillSelection[K, R]:
        """Another selection of these rows with the same order and filter; may run in a thread."""
        new: StillSelection[K, R] = StillSelection(
            {}, sort=self.sort, reverse=self.reverse, where=self.where
        )
        where, sort = self.where, self.sort
        keys = in_order([key for key, row in rows.items() if where is None or where(row)])
        new.rows, new._order = rows, keys
        if sort is not None:
            pairs = [(sort(rows[key]), key) for key in keys]
            new._values = {key: value for value, key in pairs}
            new._order = in_order(pairs)
        return new

    @property
    def chosen(self) -> tuple[Callable[[R], Any] | None, Callable[[R], bool] | None, bool]:
        """Order and filter as they are now."""
        return self.sort, self.where, self.reverse


def in_order(entries: list[Any]) -> list[Any]:
    """Sort like `sorted`, in short steps."""
    runs = [sorted(entries[at : at + _AT_ONCE]) for at in range(0, len(entries), _AT_ONCE)]
    if all(not after[0] < before[-1] for before, after in itertools.pairwise(runs)):
        return [entry for run in runs for entry in run]
    return list(heapq.merge(*runs))
