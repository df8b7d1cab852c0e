"""Putting a million rows in order in a thread, in steps so short that the screen goes on."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from fluxstate_tui.model.steps import in_order, let_go, stretches
from fluxstate_tui.store.selection import Selection

K = TypeVar("K", bound="int | str")
R = TypeVar("R")


class NotWantedError(Exception):
    """Another order or filter was chosen meanwhile."""


class StillSelection(Selection[K, R]):
    """A selection of rows that never change, such as the jobs of an archive."""

    def of(
        self, rows: Mapping[K, R], wanted: Callable[[], bool] = lambda: True
    ) -> StillSelection[K, R]:
        """Another selection of these rows with the same order and filter; may run in a thread.

        Raises NotWantedError soon after `wanted()` is no longer true.
        """
        new: StillSelection[K, R] = StillSelection(
            {}, sort=self.sort, reverse=self.reverse, where=self.where
        )
        where, sort = self.where, self.sort
        keys: list[Any] = []
        for some in stretches(rows.items()):
            keys += [key for key, row in some if where is None or where(row)]
            _go_on(wanted)
        new.rows, new._order = rows, in_order(keys)
        if sort is not None:
            pairs: list[Any] = []
            for some in stretches(new._order):
                pairs += [(sort(rows[key]), key) for key in some]
                _go_on(wanted)
            new._order = in_order(pairs)
            let_go(pairs)
        _go_on(wanted)
        return new

    def index_of(self, key: K) -> int | None:
        """Where that key is, found by its row: a table of a million values is not kept."""
        row = self.rows.get(key)
        if row is None:
            return None
        entry = key if self.sort is None else (self.sort(row), key)
        at = bisect_left(self._order, entry)
        if at == len(self._order) or self._order[at] != entry:
            return None
        return len(self._order) - 1 - at if self.reverse else at

    def let_go(self) -> None:
        """Nobody uses it any more."""
        let_go(self._order)

    @property
    def chosen(self) -> tuple[Callable[[R], Any] | None, Callable[[R], bool] | None, bool]:
        """Order and filter as they are now."""
        return self.sort, self.where, self.reverse


def _go_on(wanted: Callable[[], bool]) -> None:
    if not wanted():
        raise NotWantedError
