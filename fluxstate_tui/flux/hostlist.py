"""Lists of host names in Flux's notation, such as `node[01-10,12]` (RFC 29)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_SUFFIX = re.compile(r"(.*?)([0-9]+)", re.ASCII | re.DOTALL)
_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?", re.ASCII)

# More hosts than any machine has: a mistake or an attack.
MAX_HOSTS = 1 << 16


def expand(text: str) -> list[str]:
    """The host names in order, duplicates kept.

    Raises ValueError for unbalanced brackets, a backward range, or more than `MAX_HOSTS` hosts.
    """
    hosts: list[str] = []
    for part in _split(text):
        for host in _expand_part(part):
            hosts.append(host)
            if len(hosts) > MAX_HOSTS:
                raise ValueError(f"hostlist has too many hosts: {text[:80]!r}")
    return hosts


def compress(hosts: Iterable[str]) -> str:
    """The notation that `expand` turns back into the same list: neighbours become ranges."""
    groups: list[tuple[str, list[str]]] = []
    for host in hosts:
        match = _SUFFIX.fullmatch(host)
        stem, number = (match[1], match[2]) if match else (host, "")
        if groups and number and groups[-1][0] == stem and groups[-1][1]:
            groups[-1][1].append(number)
        else:
            groups.append((stem, [number] if number else []))
    return ",".join(_group(stem, numbers) for stem, numbers in groups)


def _split(text: str) -> Iterator[str]:
    depth = start = 0
    for index, char in enumerate(text):
        if char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
        elif char == "," and depth == 0:
            yield text[start:index]
            start = index + 1
        if depth not in (0, 1):
            raise ValueError(f"unbalanced brackets in hostlist: {text[:80]!r}")
    if depth:
        raise ValueError(f"unbalanced brackets in hostlist: {text[:80]!r}")
    if text:
        yield text[start:]


def _expand_part(part: str) -> Iterator[str]:
    if not part:
        raise ValueError("empty name in hostlist")
    opening = part.find("[")
    if opening < 0:
        yield part
        return
    closing = part.index("]", opening)
    for number in _numbers(part[opening + 1 : closing]):
        yield from _expand_part(part[:opening] + number + part[closing + 1 :])


def _numbers(text: str) -> Iterator[str]:
    for piece in text.split(","):
        match = _RANGE.fullmatch(piece)
        if match is None:
            raise ValueError(f"not a range in hostlist: {piece[:80]!r}")
        first, last = match[1], match[2] or match[1]
        if int(last) < int(first) or int(last) - int(first) > MAX_HOSTS:
            raise ValueError(f"bad range in hostlist: {piece[:80]!r}")
        for value in range(int(first), int(last) + 1):
            yield f"{value:0{len(first)}d}"


def _group(stem: str, numbers: list[str]) -> str:
    if not numbers:
        return stem
    if len(numbers) == 1:
        return stem + numbers[0]
    pieces: list[str] = []
    start = 0
    for index, number in enumerate(numbers):
        following = f"{int(number) + 1:0{len(number)}d}"
        if index + 1 < len(numbers) and numbers[index + 1] == following:
            continue
        pieces.append(number if start == index else f"{numbers[start]}-{number}")
        start = index + 1
    return f"{stem}[{','.join(pieces)}]"
