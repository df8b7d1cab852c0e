"""From the bytes of a file to the plain tar stream: formats by content, bounded output, no trust.

flux-dump picks the format by suffix and flux-restore by content (libarchive); so do we.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any, Protocol

from fluxstate_tui.archive.findings import BrokenArchiveError, Kind

# isal inflates 4 times as fast as zlib (tests/benchmarks/archive.py: an eighth of the reader's
# time), but has no `copy` to go on from. Where nobody builds it, zlib does the same.
gzip_without_points: Any
try:
    from isal import isal_zlib as gzip_without_points
except ImportError:
    gzip_without_points = zlib
FAST = gzip_without_points is not zlib


class Format(Enum):
    """What a file is by its first bytes."""

    TAR = "tar"
    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZIP = "zip"
    CPIO = "cpio"
    ISO = "iso"
    ZSTD = "zstd"
    LZ4 = "lz4"
    UNKNOWN = "unknown"


_MAGIC: tuple[tuple[int, bytes, Format], ...] = (
    (0, b"\x1f\x8b", Format.GZIP),
    (0, b"BZh", Format.BZIP2),
    (0, b"\xfd7zXZ\x00", Format.XZ),
    (0, b"PK\x03\x04", Format.ZIP),
    (0, b"PK\x05\x06", Format.ZIP),
    (0, b"070707", Format.CPIO),
    (0, b"070701", Format.CPIO),
    (0, b"070702", Format.CPIO),
    (0, b"\xc7\x71", Format.CPIO),
    (0, b"\x28\xb5\x2f\xfd", Format.ZSTD),
    (0, b"\x04\x22\x4d\x18", Format.LZ4),
    (257, b"ustar", Format.TAR),
    (32769, b"CD001", Format.ISO),
)
HEAD_BYTES = 32774
_BLOCK = 512

# The largest piece of plain data that is made at once.
WINDOW = 1 << 18

# Flux archives shrink 30 to 60 times; gzip makes zeros 230 (fastest) to 1030 times smaller, bzip2
# and xz many thousand times. What unpacks beyond both the bytes and the ratio is a bomb.
FREE_BYTES = 1 << 29
MAX_RATIO = {Format.GZIP: 100, Format.BZIP2: 1000, Format.XZ: 1000, Format.ZIP: 100}


def detect(head: bytes) -> Format:
    """The format by the first `HEAD_BYTES` bytes of a file."""
    for offset, magic, kind in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return kind
    if len(head) >= _BLOCK and not any(head[:_BLOCK]):
        return Format.TAR
    return Format.UNKNOWN


class Decompressor(Protocol):
    """What zlib, bz2 and lzma objects have in common."""

    @property
    def eof(self) -> bool:
        """The end of one member was reached and its checksum is right."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What follows that member."""
        ...


class Inflater:
    """One compressed file as plain chunks of at most `WINDOW` bytes; members follow on seamlessly.

    `consumed` counts compressed bytes, `produced` plain ones, `members` finished members.
    With `points`, `snapshot` gives points to go on from later; for gzip this costs time.
    Raises BrokenArchiveError with the compressed offset when the data is damaged or cut.
    """

    def __init__(self, kind: Format, *, points: bool = False) -> None:
        self._fresh = _with_points if points and kind is Format.GZIP else _FACTORIES[kind]
        self._ratio = MAX_RATIO[kind]
        self._object = self._fresh()
        self._started = False
        self.consumed = 0
        self.produced = 0
        self.members = 0

    def chunks(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The plain data. Zeros after the last member are padding; anything else is damage."""
        for block in blocks:
            rest, more = block, False
            while rest or more:
                if not self._started and not rest.strip(b"\x00"):
                    self.consumed += len(rest)
                    break
                self._started = True
                out, left = self._step(rest)
                self.consumed += len(rest) - len(left)
                rest = left
                more = len(out) == WINDOW and self._started
                if out:
                    self.produced += len(out)
                    self._refuse_bomb()
                    yield out
        self._finish()

    def snapshot(self) -> Inflater | None:
        """A copy to go on from here later, at compressed offset `consumed`; only gzip has that."""
        if not hasattr(self._object, "copy"):
            return None
        twin = Inflater.__new__(Inflater)
        twin._fresh, twin._ratio = self._fresh, self._ratio
        twin._object = self._object.copy()
        twin._started = self._started
        twin.consumed, twin.produced, twin.members = self.consumed, self.produced, self.members
        return twin

    def _step(self, data: bytes) -> tuple[bytes, bytes]:
        try:
            out, left = _decompress(self._object, data)
        except _ERRORS as error:
            raise BrokenArchiveError(
                Kind.DAMAGED, self._place(), f"the compressed data is damaged ({error})"
            ) from error
        if self._object.eof:
            left = self._object.unused_data
            self.members += 1
            self._object = self._fresh()
            self._started = False
        return out, left

    def _finish(self) -> None:
        if self._started or self.members == 0:
            raise BrokenArchiveError(
                Kind.TRUNCATED, self._place(), "the file ends in the middle of the compressed data"
            )

    def _refuse_bomb(self) -> None:
        if self.produced > FREE_BYTES and self.produced > self._ratio * max(self.consumed, 1):
            raise BrokenArchiveError(
                Kind.HOSTILE,
                self._place(),
                f"it unpacks to more than {self.produced} bytes: a decompression bomb",
            )

    def _place(self) -> str:
        return f"byte {self.consumed} of the file"


def _decompress(decompressor: Decompressor, data: bytes) -> tuple[bytes, bytes]:
    """At most WINDOW plain bytes, and the input that was not used yet."""
    if isinstance(decompressor, bz2.BZ2Decompressor | lzma.LZMADecompressor):
        return decompressor.decompress(data, WINDOW), b""
    out: bytes = decompressor.decompress(data, WINDOW)  # type: ignore[attr-defined]
    left: bytes = decompressor.unconsumed_tail  # type: ignore[attr-defined]
    return out, left


_ERRORS = (zlib.error, gzip_without_points.error, OSError, lzma.LZMAError, EOFError)


def _with_points() -> Decompressor:
    return zlib.decompressobj(wbits=31)


_FACTORIES: dict[Format, Callable[[], Decompressor]] = {
    Format.GZIP: lambda: gzip_without_points.decompressobj(wbits=31),
    Format.BZIP2: bz2.BZ2Decompressor,
    Format.XZ: lambda: lzma.LZMADecompressor(memlimit=1 << 27),
}
