"""An ordered and filtered view of many rows, kept up to date in time proportional to a change."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound="int | str")
R = TypeVar("R")


class Selection(Generic[K, R]):
    """Keys of `rows` that pass `where`, in the order of `sort`, then of the key itself.

    `sort` gives values that compare with each other; None sorts by key alone. `reverse` turns
    the whole order round. A hundred thousand rows are looked through only by `rebuild`.
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
        self._keys: list[K] = []
        self._values: dict[K, Any] = {}
        self.rebuild()

    def __len__(self) -> int:
        return len(self._keys)

    def rebuild(self) -> None:
        """Look at every row again."""
        rows, where, sort = self.rows, self.where, self.sort
        if where is None:
            keys = sorted(rows)
        else:
            keys = sorted(key for key, row in rows.items() if where(row))
        self._values = {}
        if sort is not None:
            self._values = {key: sort(rows[key]) for key in keys}
            keys.sort(key=self._values.__getitem__)
        self._keys = keys

    def patch(self, changed: Iterable[K]) -> bool:
        """Look at the changed rows again. True if any row came, went or moved."""
        moved = False
        for key in changed:
            moved |= self._patch_one(key)
        return moved

    def key_at(self, index: int) -> K:
        """The key in that row of the view, 0 = the first one shown."""
        return self._keys[len(self._keys) - 1 - index if self.reverse else index]

    def index_of(self, key: K) -> int | None:
        """Where that key is in the view, or None if it is not in it."""
        at = self._find(key)
        if at is None:
            return None
        return len(self._keys) - 1 - at if self.reverse else at

    def _patch_one(self, key: K) -> bool:
        row = self.rows.get(key)
        wanted = row is not None and (self.where is None or self.where(row))
        at = self._find(key)
        if row is None or not wanted:
            if at is None:
                return False
            del self._keys[at]
            self._values.pop(key, None)
            return True
        if self.sort is None:
            if at is not None:
                return False
            self._keys.insert(bisect_left(self._keys, key), key)
            return True
        value = self.sort(row)
        if at is not None:
            if self._values[key] == value:
                return False
            del self._keys[at]
        self._values[key] = value
        self._keys.insert(self._place(key), key)
        return True

    def _place(self, key: K) -> int:
        if self.sort is None:
            return bisect_left(self._keys, key)
        values = self._values
        return bisect_left(self._keys, (values[key], key), key=lambda k: (values[k], k))

    def _find(self, key: K) -> int | None:
        if self.sort is not None and key not in self._values:
            return None
        at = self._place(key)
        return at if at < len(self._keys) and self._keys[at] == key else None
