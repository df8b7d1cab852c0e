"""Putting a million rows in order in a thread, in steps so short that the screen goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from fluxstate_tui.model.steps import in_order, let_go, stretches
from fluxstate_tui.store.ordered import Ordered
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
        from fluxstate_tui.archive.collecting import without_collector  # not at the first paint

        new: StillSelection[K, R] = StillSelection(
            {}, sort=self.sort, reverse=self.reverse, where=self.where
        )
        with without_collector(len(rows)):
            new._ordered = self._put_in_order(rows, wanted)
        new.rows = rows
        _go_on(wanted)
        return new

    def _put_in_order(self, rows: Mapping[K, R], wanted: Callable[[], bool]) -> Ordered[K]:
        where, sort = self.where, self.sort
        entries: list[Any] = []
        for some in stretches(rows.items()):
            if where is not None:
                some = [(key, row) for key, row in some if where(row)]
            if sort is None:
                entries += [key for key, _ in some]
            else:
                entries += [(sort(row), key) for key, row in some]
            _go_on(wanted)
        ordered = in_order(entries)
        if sort is None:
            return Ordered(([0] * len(some), some) for some in stretches(ordered))
        let_go(entries)
        found: Ordered[K] = Ordered(_apart(ordered))
        let_go(ordered)
        return found

    def _row(self, key: K) -> R | None:
        return self.rows.get(key)  # a million of them are not copied

    def let_go(self) -> None:
        """Nobody uses it any more."""
        self._ordered.let_go()

    @property
    def chosen(self) -> tuple[Callable[[R], Any] | None, Callable[[R], bool] | None, bool]:
        """Order and filter as they are now."""
        return self.sort, self.where, self.reverse


def _go_on(wanted: Callable[[], bool]) -> None:
    if not wanted():
        raise NotWantedError


def _apart(pairs: list[tuple[Any, K]]) -> Iterator[tuple[list[Any], list[K]]]:
    for some in stretches(pairs):
        yield [value for value, _ in some], [key for _, key in some]
