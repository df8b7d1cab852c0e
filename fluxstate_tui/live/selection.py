"""An ordered and filtered view of many rows, kept up to date in time proportional to a change."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any, Final, Generic, Protocol, TypeVar, runtime_checkable

from fluxstate_tui.chunked import batched, clear_in_chunks, in_order

# Keys in order, in blocks: a change among a hundred thousand moves no more than one block.

K = TypeVar("K", bound="int | str")

BLOCK: Final = 512
"""Keys of a block when it is made; it is split when it has twice as many."""


class Ordered(Generic[K]):
    """Keys in the order of a value, then of the key itself. Both compare in C.

    Values and keys lie in lists of their own: pairs would be a hundred thousand things to make,
    and for the garbage collector to walk over.
    """

    def __init__(self, batched: Iterable[tuple[list[Any], list[K]]] = ()) -> None:
        """Of lists of values and of the keys that have them; all in order already."""
        self._values: list[list[Any]] = []
        self._keys: list[list[K]] = []
        for values, keys in batched:
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

    def clear_in_chunks(self) -> None:
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


R = TypeVar("R")

FEW: Final = 500
_HIDDEN: Final = object()


@runtime_checkable
class Grouping(Protocol):
    """A `sort` that knows a quicker way for very many rows than to be asked for each of them."""

    def groups(self, rows: Mapping[Any, Any]) -> dict[Any, list[Any]]:
        """The keys of the rows by their value, in any order."""
        ...


class Selection(Generic[K, R]):
    """Keys of `rows` that pass `where`, in the order of `sort`, then of the key itself.

    `sort` gives hashable values that compare with each other; None sorts by key alone. `reverse`
    turns the whole order round. Rows are values that do not change: a changed one is another. A
    hundred thousand of them are looked through only by `rebuild`.
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
        self._ordered: Ordered[K] = Ordered()
        # The rows as they were looked at last, for their place then: a copy is cheap (2 ms of
        # 100,000), a table of their values is not (30 ms).
        self._known: dict[K, R] = {}
        self.rebuild()

    def __len__(self) -> int:
        return len(self._ordered)

    def rebuild(self) -> None:
        """Look at every row again."""
        self._known = dict(self.rows)
        passing = self._known
        where = self.where
        if where is not None:
            passing = {key: row for key, row in self._known.items() if where(row)}
        self._ordered = Ordered(rows_in_order(passing, self.sort))

    def patch(self, changed: Iterable[K]) -> bool:
        """Look at the changed rows again. True if any row came, went or moved."""
        moved = False
        for key in changed:
            moved |= self._patch_one(key)
        return moved

    def between(self, start: int, end: int) -> list[K]:
        """The keys in those rows of the view, 0 = the first one shown."""
        if not self.reverse:
            return self._ordered.between(start, end)
        count = len(self._ordered)
        return self._ordered.between(max(0, count - end), max(0, count - start))[::-1]

    def key_at(self, index: int) -> K:
        """The key in that row of the view. Raises IndexError."""
        return self.between(index, index + 1)[0]

    def index_of(self, key: K) -> int | None:
        """Where that key is in the view, or None if it is not in it."""
        value = self._shown(self._row(key))
        at = None if value is _HIDDEN else self._ordered.place(value, key)
        return at if at is None or not self.reverse else len(self) - 1 - at

    def _patch_one(self, key: K) -> bool:
        row, known = self.rows.get(key), self._known.get(key)
        value, before = self._shown(row), self._shown(known)
        if row is not None:
            self._known[key] = row
        elif known is not None:
            del self._known[key]
        if value is before or value == before:
            return False
        if before is not _HIDDEN:
            self._ordered.remove(before, key)
        if value is not _HIDDEN:
            self._ordered.add(value, key)
        return True

    def _row(self, key: K) -> R | None:
        """The row as it was looked at last."""
        return self._known.get(key)

    def _shown(self, row: R | None) -> Any:
        """The value that puts a row in its place; _HIDDEN for one that is not shown."""
        if row is None or (self.where is not None and not self.where(row)):
            return _HIDDEN
        return 0 if self.sort is None else self.sort(row)


def rows_in_order(
    rows: Mapping[K, R], sort: Callable[[R], Any] | None
) -> Iterator[tuple[list[Any], list[K]]]:
    """Values and the keys of the rows that have them, by value, then by key."""
    if sort is None:
        yield [0] * len(rows), sorted(rows)
        return
    if isinstance(sort, Grouping):
        yield from _groups_in_order(sort.groups(rows))
        return
    values = list(map(sort, rows.values()))
    distinct = set(values)
    if len(distinct) <= FEW:  # states, names, users: half the time of sorting all of them
        groups: dict[Any, list[K]] = {value: [] for value in distinct}
        for value, key in zip(values, rows, strict=True):
            groups[value].append(key)
        yield from _groups_in_order(groups)
        return
    # Stable, twice: pairs would take longer to make than this takes in all.
    keys = list(rows)
    places = sorted(range(len(keys)), key=keys.__getitem__)
    places.sort(key=values.__getitem__)
    yield [values[place] for place in places], [keys[place] for place in places]


def _groups_in_order(groups: dict[Any, list[K]]) -> Iterator[tuple[list[Any], list[K]]]:
    for value in sorted(groups):
        keys = sorted(groups[value])
        yield [value] * len(keys), keys


# Putting a million rows in order in a thread, in steps so short that the screen goes on.


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
        from fluxstate_tui.archive.job_map import without_collector

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
        for some in batched(rows.items()):
            if where is not None:
                some = [(key, row) for key, row in some if where(row)]
            if sort is None:
                entries += [key for key, _ in some]
            else:
                entries += [(sort(row), key) for key, row in some]
            _go_on(wanted)
        ordered = in_order(entries)
        if sort is None:
            return Ordered(([0] * len(some), some) for some in batched(ordered))
        clear_in_chunks(entries)
        found: Ordered[K] = Ordered(_apart(ordered))
        clear_in_chunks(ordered)
        return found

    def _row(self, key: K) -> R | None:
        return self.rows.get(key)  # a million of them are not copied

    def clear_in_chunks(self) -> None:
        """Nobody uses it any more."""
        self._ordered.clear_in_chunks()

    @property
    def chosen(self) -> tuple[Callable[[R], Any] | None, Callable[[R], bool] | None, bool]:
        """Order and filter as they are now."""
        return self.sort, self.where, self.reverse


def _go_on(wanted: Callable[[], bool]) -> None:
    if not wanted():
        raise NotWantedError


def _apart(pairs: list[tuple[Any, K]]) -> Iterator[tuple[list[Any], list[K]]]:
    for some in batched(pairs):
        yield [value for value, _ in some], [key for _, key in some]
