"""An ordered and filtered view of many rows, kept up to date in time proportional to a change."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound="int | str")
R = TypeVar("R")


_value, _key = itemgetter(0), itemgetter(1)


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
        # Made with the first change: not needed to show rows, and it costs as much as that.
        self._values: dict[K, Any] | None = None
        self.rebuild()

    def __len__(self) -> int:
        return len(self._order)

    def rebuild(self) -> None:
        """Look at every row again."""
        rows: Mapping[K, R] = self.rows
        where, sort = self.where, self.sort
        unsorted: list[Any] = list(rows)
        if where is not None:
            unsorted = [key for key, row in rows.items() if where(row)]
        self._order = keys = sorted(unsorted)
        self._values = None
        if sort is not None:
            # map and zip keep the loop over a hundred thousand rows in C. Rows that came in the
            # order of their keys, as a snapshot does, need not be looked up again.
            together = keys == unsorted and where is None
            every = rows.values() if together else map(rows.__getitem__, keys)
            many = getattr(sort, "many", None)
            found = map(sort, every) if many is None else many(every)
            self._order = list(zip(found, keys, strict=True))
            self._order.sort(key=_value)  # stable: equal values stay in the order of the keys

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
            self._known_values().pop(key, None)
            return True
        if self.sort is None:
            if at is None:
                insort(self._order, key)
            return at is None
        value = self.sort(row)
        values = self._known_values()
        if at is not None:
            if values[key] == value:
                return False
            del self._order[at]
        values[key] = value
        insort(self._order, (value, key))
        return True

    def _known_values(self) -> dict[K, Any]:
        """The value that each row in the view was sorted by."""
        if self._values is None:
            keys = map(_key, self._order) if self.sort is not None else iter(())
            self._values = dict(zip(keys, map(_value, self._order), strict=False))
        return self._values

    def _find(self, key: K) -> int | None:
        entry: Any = key
        if self.sort is not None:
            values = self._known_values()
            if key not in values:
                return None
            entry = (values[key], key)
        at = bisect_left(self._order, entry)
        return at if at < len(self._order) and self._order[at] == entry else None
