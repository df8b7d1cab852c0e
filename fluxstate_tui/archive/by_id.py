"""A million things by job id without a dict, whose growth would be one long step for the screen."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from typing import TypeVar

from fluxstate_tui.model.steps import in_order, let_go, stretches

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

    def let_go(self) -> None:
        """Nobody uses it any more: empty it in short steps."""
        let_go(self.ids)
        let_go(self._values)

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
    for some in stretches(numbered):
        for key, _, value in some:
            if ids and ids[-1] == key:
                values[-1] = value
            else:
                ids.append(key)
                values.append(value)
    let_go(numbered)
    return ById(ids, values)
