"""An ordered and filtered view of many rows, kept up to date in time proportional to a change."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound="int | str")
R = TypeVar("R")


class Selection(Generic[K, R]):
    """Keys of `rows` that pass `where`, in the order of `sort`, then of the key itself.

    `sort` gives values that compare with each other; None sorts by key alone. `reverse` turns
    the whole order round. A `sort` with a method `many(rows)` is asked for all at once. A hundred
    thousand rows are looked through only by `rebuild`.
    """

    def __init__(
        self,
        rows: Mapping[K, R],
        *,
        sort: Callable[[R], Any] | None = None,
        reverse: bool = False,
        where: Callable[[R], bool] | None = None,
    ) -> None:
        self.rows = rows
        self.sort = sort
        self.reverse = reverse
        self.where = where
        # Keys, or with `sort` pairs of value and key: both compare in C, so that finding one of a
        # hundred thousand takes a microsecond.
        self._order: list[Any] = []
        self._values: dict[K, Any] = {}
        self.rebuild()

    def __len__(self) -> int:
        return len(self._order)

    def rebuild(self) -> None:
        """Look at every row again."""
        rows: Mapping[K, R] = self.rows
        where, sort = self.where, self.sort
        keys: list[Any] = list(rows)
        if where is not None:
            keys = [key for key, row in rows.items() if where(row)]
        keys.sort()
        self._order = keys
        self._values = {}
        if sort is not None:
            # map and zip keep the loop over a hundred thousand rows in C.
            every = map(rows.__getitem__, keys)
            many = getattr(sort, "many", None)
            found = map(sort, every) if many is None else many(every)
            values = self._values = dict(zip(keys, found, strict=True))
            keys.sort(key=values.__getitem__)  # stable: equal values stay in the order of the keys
            self._order = list(zip(map(values.__getitem__, keys), keys, strict=True))

    def patch(self, changed: Iterable[K]) -> bool:
        """Look at the changed rows again. True if any row came, went or moved."""
        moved = False
        for key in changed:
            moved |= self._patch_one(key)
        return moved

    def key_at(self, index: int) -> K:
        """The key in that row of the view, 0 = the first one shown."""
        entry = self._order[len(self._order) - 1 - index if self.reverse else index]
        key: K = entry if self.sort is None else entry[1]
        return key

    def index_of(self, key: K) -> int | None:
        """Where that key is in the view, or None if it is not in it."""
        at = self._find(key)
        if at is None:
            return None
        return len(self._order) - 1 - at if self.reverse else at

    def _patch_one(self, key: K) -> bool:
        row = self.rows.get(key)
        wanted = row is not None and (self.where is None or self.where(row))
        at = self._find(key)
        if row is None or not wanted:
            if at is None:
                return False
            del self._order[at]
            self._values.pop(key, None)
            return True
        if self.sort is None:
            if at is None:
                insort(self._order, key)
            return at is None
        value = self.sort(row)
        if at is not None:
            if self._values[key] == value:
                return False
            del self._order[at]
        self._values[key] = value
        insort(self._order, (value, key))
        return True

    def _find(self, key: K) -> int | None:
        entry: Any = key
        if self.sort is not None:
            if key not in self._values:
                return None
            entry = (self._values[key], key)
        at = bisect_left(self._order, entry)
        return at if at < len(self._order) and self._order[at] == entry else None
