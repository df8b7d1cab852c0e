"""A million things by job id without a dict, whose growth would be one long step for the screen."""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from contextlib import contextmanager
from typing import TypeVar

from fluxstate_tui.chunked import batched, clear_in_chunks, in_order

V = TypeVar("V")


class ById(Mapping[int, V]):
    """Values by ids that ascend. Found by bisection; they never change."""

    def __init__(self, ids: list[int], values: list[V]) -> None:
        """`ids` ascend, and each has its value at the same place."""
        self.ids = ids
        self._values = values

    def __getitem__(self, key: int) -> V:
        at = bisect_left(self.ids, key)
        if at == len(self.ids) or self.ids[at] != key:
            raise KeyError(key)
        return self._values[at]

    def __iter__(self) -> Iterator[int]:
        return iter(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def clear_in_chunks(self) -> None:
        """Nobody uses it any more: empty it in short steps."""
        clear_in_chunks(self.ids)
        clear_in_chunks(self._values)

    def items(self) -> ItemsView[int, V]:
        """All pairs, without looking for each."""
        return _Items(self)

    def values(self) -> ValuesView[V]:
        """All values, in the order of their ids."""
        return _Values(self)


class _Items(ItemsView[int, V]):
    _mapping: ById[V]

    def __iter__(self) -> Iterator[tuple[int, V]]:
        return zip(self._mapping.ids, self._mapping._values, strict=True)


class _Values(ValuesView[V]):
    _mapping: ById[V]

    def __iter__(self) -> Iterator[V]:
        return iter(self._mapping._values)


def sorted_by_id(pairs: Iterable[tuple[int, V]]) -> ById[V]:
    """Of pairs in any order. Of several with the same id the last is kept."""
    ids: list[int] = []
    values: list[V] = []
    numbered = in_order((key, at, value) for at, (key, value) in enumerate(pairs))
    for some in batched(numbered):
        for key, _, value in some:
            if ids and ids[-1] == key:
                values[-1] = value
            else:
                ids.append(key)
                values.append(value)
    clear_in_chunks(numbered)
    return ById(ids, values)


# Python's garbage collector, kept away while very many objects are made that stay.

MANY_OBJECTS = 50_000


def hide(objects: int) -> None:
    """Move all that there is out of the collector's sight, if `objects` are many."""
    if objects > MANY_OBJECTS:
        gc.freeze()


@contextmanager
def without_collector(objects: int = 0) -> Iterator[None]:
    """The garbage collector would walk over all objects again and again while they are made.

    Afterwards they are no garbage either: many are moved out of its sight, or its next walks would
    stop the screen for a tenth of a second each. That is also so for a list of many `objects` that
    were there before: the collector looks at every one, though it never collects them.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        hide(max(objects, gc.get_count()[0]))
        if enabled:
            gc.enable()
