"""Sets of small integers in Flux's notation, such as `0-3,5` (RFC 22)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

Span = tuple[int, int]

_PART = re.compile(r"([0-9]{1,10})(?:-([0-9]{1,10}))?", re.ASCII)

# A set with more members than the largest machine has cores is a mistake or an attack.
MAX_MEMBERS = 1 << 20


def spans(text: str) -> tuple[Span, ...]:
    """The inclusive ranges of an idset, ascending and merged. Brackets are optional; '' is empty.

    Raises ValueError for anything that is not an idset. No list of the members is made.
    """
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    return merge(_range(part, text) for part in inner.split(",")) if inner else ()


def merge(found: Iterable[Span]) -> tuple[Span, ...]:
    """The union of ranges: ascending, without overlaps and without neighbours."""
    merged: list[Span] = []
    for first, last in sorted(found):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


@lru_cache(maxsize=4096)
def count(text: str) -> int:
    """How many members an idset has. Raises ValueError like `spans`."""
    return sum(last - first + 1 for first, last in spans(text))


def decode(text: str) -> tuple[int, ...]:
    """The members in ascending order. Raises ValueError also for more than `MAX_MEMBERS`."""
    if count(text) > MAX_MEMBERS:
        raise ValueError(f"idset has too many members: {text[:80]!r}")
    return tuple(value for first, last in spans(text) for value in range(first, last + 1))


def encode(ids: Iterable[int]) -> str:
    """The shortest notation of a set, without brackets: `0-3,5`."""
    return encode_spans(merge((value, value) for value in ids))


def encode_spans(found: Iterable[Span]) -> str:
    """The notation of merged ranges, without brackets."""
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


def _range(part: str, text: str) -> Span:
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(f"not an idset: {text[:80]!r}")
    first = int(match[1])
    last = int(match[2]) if match[2] else first
    if last < first:
        raise ValueError(f"idset range runs backwards: {text[:80]!r}")
    return first, last
