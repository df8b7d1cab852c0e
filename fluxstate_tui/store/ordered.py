"""Keys in order, in blocks: a change among a hundred thousand moves no more than one block."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import Any, Final, Generic, TypeVar

K = TypeVar("K", bound="int | str")

BLOCK: Final = 512
"""Keys of a block when it is made; it is split when it has twice as many."""


class Ordered(Generic[K]):
    """Keys in the order of a value, then of the key itself. Both compare in C.

    Values and keys lie in lists of their own: pairs would be a hundred thousand things to make,
    and for the garbage collector to walk over.
    """

    def __init__(self, stretches: Iterable[tuple[list[Any], list[K]]] = ()) -> None:
        """Of lists of values and of the keys that have them; all in order already."""
        self._values: list[list[Any]] = []
        self._keys: list[list[K]] = []
        for values, keys in stretches:
            for start in range(0, len(keys), BLOCK):
                self._values.append(values[start : start + BLOCK])
                self._keys.append(keys[start : start + BLOCK])
        self._lasts = [(v[-1], k[-1]) for v, k in zip(self._values, self._keys, strict=True)]
        self._starts: list[int] | None = None
        self._length = sum(map(len, self._keys))

    def __len__(self) -> int:
        return self._length

    def between(self, start: int, end: int) -> list[K]:
        """The keys at these places, 0 = the first; fewer if there are not as many."""
        starts, found = self._known_starts(), list[K]()
        at = bisect_right(starts, start) - 1
        while at < len(self._keys) and starts[at] < end:
            first = starts[at]
            found += self._keys[at][max(0, start - first) : end - first]
            at += 1
        return found

    def place(self, value: Any, key: K) -> int | None:
        """Where that key with that value is, or None if it is not there."""
        block, at = self._find(value, key)
        if not self._is_at(block, at, value, key):
            return None
        return self._known_starts()[block] + at

    def add(self, value: Any, key: K) -> None:
        """Put in a key that is not there."""
        if not self._keys:
            self._values, self._keys, self._lasts = [[]], [[]], [(value, key)]
        block, at = self._find(value, key)
        if block == len(self._keys):
            block -= 1
            at = len(self._keys[block])
        self._values[block].insert(at, value)
        self._keys[block].insert(at, key)
        self._count(block, 1)
        if len(self._keys[block]) >= 2 * BLOCK:
            self._split(block)

    def remove(self, value: Any, key: K) -> bool:
        """Take out that key with that value. False if it is not there."""
        block, at = self._find(value, key)
        if not self._is_at(block, at, value, key):
            return False
        del self._values[block][at], self._keys[block][at]
        if self._keys[block]:
            self._count(block, -1)
        else:
            del self._values[block], self._keys[block], self._lasts[block]
            self._length, self._starts = self._length - 1, None
        return True

    def let_go(self) -> None:
        """Empty it in steps: freeing a million things at once would be one long step."""
        self._length, self._starts, self._lasts = 0, None, []
        while self._keys:
            del self._keys[-32:], self._values[-32:]

    def _find(self, value: Any, key: K) -> tuple[int, int]:
        """The block, and the place in it, where that key is or would be."""
        block = bisect_left(self._lasts, (value, key))
        if block == len(self._keys):
            return block, 0
        values = self._values[block]
        low = bisect_left(values, value)
        return block, bisect_left(self._keys[block], key, low, bisect_right(values, value, low))

    def _is_at(self, block: int, at: int, value: Any, key: K) -> bool:
        if block == len(self._keys) or at == len(self._keys[block]):
            return False
        return self._keys[block][at] == key and bool(self._values[block][at] == value)

    def _count(self, block: int, change: int) -> None:
        self._length, self._starts = self._length + change, None
        self._lasts[block] = (self._values[block][-1], self._keys[block][-1])

    def _split(self, block: int) -> None:
        values, keys = self._values[block], self._keys[block]
        self._values[block : block + 1] = values[:BLOCK], values[BLOCK:]
        self._keys[block : block + 1] = keys[:BLOCK], keys[BLOCK:]
        self._lasts.insert(block, (values[BLOCK - 1], keys[BLOCK - 1]))

    def _known_starts(self) -> list[int]:
        """The place of each block's first key. Worked out when asked for after a change."""
        if self._starts is None:
            self._starts = list(accumulate(map(len, self._keys[:-1]), initial=0))
        return self._starts
