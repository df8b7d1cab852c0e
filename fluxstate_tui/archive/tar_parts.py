"""The parts of tar headers, remembered: their meaning, and the sum of their bytes.

An archive of Flux has tens of thousands of headers made of few different parts: the names of a
job's files, sizes with one time, checksums. Each is read once. What is unusual raises ValueError.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import NamedTuple, TypeVar

_REMEMBERED = 1 << 12
_BLOCK = 512
_Value = TypeVar("_Value")


class File(NamedTuple):
    """The end of a name, the sum of its bytes, and whether the data of such files is wanted."""

    name: str
    sum: int
    wanted: bool


class Stat(NamedTuple):
    """Size, size with padding, time, and the sum of the bytes of mode, owner, size and time."""

    size: int
    padded: int
    mtime: int
    sum: int


class Memory(dict[bytes, _Value]):
    """Makes a value for every new key; stops to keep them when there are too many."""

    def __init__(self, make: Callable[[bytes], _Value]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: bytes) -> _Value:
        value = self._make(key)
        if len(self) < _REMEMBERED:
            self[key] = value
        return value


class Parts:
    """The memories for one reading. `wanted(end)`: see TarStream.members."""

    def __init__(self, wanted: Callable[[str], bool]) -> None:
        self._wanted = wanted
        self.files = Memory(self._file)
        self.stats = Memory(_stat)
        self.checksums = Memory(octal)

    def folder(self, head: bytes) -> tuple[str, int]:
        """The beginning of a name that goes on after it, and the sum of its bytes."""
        if not head[-1]:
            raise ValueError("a short name")
        return head.decode("ascii"), byte_sum(head)

    def _file(self, rest: bytes) -> File:
        name = rest.rstrip(b"\0").decode("ascii")
        if not name:
            raise ValueError("a short name")
        return File(name, byte_sum(rest), self._wanted(name))


def _stat(part: bytes) -> Stat:
    size = octal(part[24:35])
    return Stat(size, (size + _BLOCK - 1) & -_BLOCK, octal(part[36:47]), byte_sum(part))


def byte_sum(part: bytes) -> int:
    """The sum of at most 256 bytes. The fast way is adler32, whose lower half is 1 + the sum."""
    return (zlib.adler32(part) & 0xFFFF) - 1


def octal(digits: bytes) -> int:
    """A number of digits only: no sign, nor what else Python's int would take."""
    if not digits.isdigit():
        raise ValueError("not a plain number")
    return int(digits, 8)
