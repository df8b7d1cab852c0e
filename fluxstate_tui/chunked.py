"""Work on very many things in steps so short that no other thread waits long.

Python's own sorted() is one step for all other threads, however long the list is.
"""

from __future__ import annotations

import heapq
import itertools
from array import array
from collections.abc import Iterable, Iterator
from typing import Any

# 20,000 entries take some 10 ms to sort.
AT_ONCE = 20_000


def batched(entries: Iterable[Any]) -> Iterator[list[Any]]:
    """All of them, some at a time."""
    every = iter(entries)
    while some := list(itertools.islice(every, AT_ONCE)):
        yield some


def in_order(entries: Iterable[Any]) -> list[Any]:
    """Sort like `sorted`."""
    runs = [sorted(some) for some in batched(entries)]
    if all(not after[0] < before[-1] for before, after in itertools.pairwise(runs)):
        return [entry for run in runs for entry in run]
    return list(heapq.merge(*runs))


def clear_in_chunks(entries: list[Any]) -> None:
    """Empty a list; freeing a million things at once would be one long step."""
    while entries:
        del entries[-AT_ONCE:]


def running_sums(numbers: Iterable[float]) -> array[float]:
    """0, the first number, the first two added up, and so on."""
    sums: array[float] = array("d")
    for some in batched(itertools.accumulate(numbers, initial=0.0)):
        sums.extend(some)
    return sums
