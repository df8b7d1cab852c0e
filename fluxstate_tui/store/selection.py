"""An ordered and filtered view of many rows, kept up to date in time proportional to a change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Generic, Protocol, TypeVar, runtime_checkable

from fluxstate_tui.store.ordered import Ordered

K = TypeVar("K", bound="int | str")
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
        self._ordered = Ordered(in_order(passing, self.sort))

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


def in_order(
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
