"""Members of a plain tar stream (POSIX ustar and pax, with GNU's long names), without trust.

Written for one pass over large windows: a Flux archive has five to seven small members per job,
and Python's tarfile spends seven times as long on them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from fluxstate_tui.archive.findings import BrokenArchiveError, Kind

BLOCK = 512

# flux-restore skips larger values, too (rc1 runs it with --size-limit=100M).
MAX_VALUE = 100 << 20
_MAX_EXTENSION = 1 << 20

FILE, SYMLINK, DIRECTORY = b"0", b"2", b"5"
_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK = b"x", b"g", b"L", b"K"
_EXTENSIONS = (_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK)


class Member(NamedTuple):
    """One member. `data` is None where it was not wanted or is over `MAX_VALUE`.

    `kind` is tar's type flag (FILE for all plain files). `offset` is that of the first header.
    """

    name: str
    kind: bytes
    data: bytes | None
    size: int
    link: str
    mtime: int
    offset: int


class TarStream:
    """A stream of plain chunks as members. `position` is the plain offset that was reached."""

    def __init__(self, chunks: Iterable[bytes], start: int = 0) -> None:
        self._chunks = iter(chunks)
        self._buffer = b""
        self._at = 0
        self._base = start

    @property
    def position(self) -> int:
        """The plain offset of the next header."""
        return self._base + self._at

    def members(self, wanted: Callable[[str], bool]) -> Iterator[Member]:
        """Every member up to the end mark; `wanted(name)` says whose data is kept.

        Raises BrokenArchiveError for a cut or damaged stream, after all members before it.
        """
        extra: dict[str, str] = {}
        first = self.position
        while True:
            header = self._header()
            if header is None:
                return
            kind = header[156:157]
            size = _number(header[124:136], self.position)
            if kind in _EXTENSIONS:
                self._at += BLOCK
                extra.update(self._extension(kind, size))
                continue
            name, link, mtime = _names(header, self.position)
            if extra:
                name, link = extra.get("path", name), extra.get("linkpath", link)
                size, mtime = _overruled(extra, size, mtime, self.position)
                kind = b"S" if any(key.startswith("GNU.sparse") for key in extra) else kind
                extra = {}
            if kind in (b"\x00", b"7"):
                kind = FILE
            self._at += BLOCK
            body = size if kind not in (SYMLINK, b"1", DIRECTORY) else 0
            data = self._body(body, keep=body <= MAX_VALUE and wanted(name), name=name)
            yield Member(name, kind, data, body, link, mtime, first)
            first = self.position

    def trailing(self) -> tuple[int, bytes]:
        """Read to the end: how many bytes follow the padding after the end mark, and their start.

        The rest of a decompressed stream must be read for its checksum to be checked.
        """
        count = 0
        start = b""
        pending = self._buffer[self._at :]
        while pending:
            if count or pending.strip(b"\x00"):
                begin = pending.lstrip(b"\x00") if not count else pending
                count += len(begin)
                start = (start + begin[:BLOCK])[:BLOCK]
            pending = next(self._chunks, b"")
        return count, start

    def _header(self) -> bytes | None:
        """The next header block, or None at the end mark."""
        buffer, at = self._buffer, self._at
        if len(buffer) - at < BLOCK:
            if not self._fill(BLOCK):
                raise self._cut("the archive ends without its end mark")
            buffer, at = self._buffer, self._at
        header = buffer[at : at + BLOCK]
        if header[0] == 0 and not header.strip(b"\x00"):
            self._at += BLOCK
            return None
        if not _checksum_fits(header):
            place = f"byte {self.position} of the unpacked archive"
            raise BrokenArchiveError(Kind.DAMAGED, place, "a member's header is damaged")
        return header

    def _extension(self, kind: bytes, size: int) -> dict[str, str]:
        if size > _MAX_EXTENSION:
            place = f"byte {self.position} of the unpacked archive"
            raise BrokenArchiveError(Kind.HOSTILE, place, "an extended header is far too large")
        data = self._body(size, keep=True, name="an extended header") or b""
        if kind == _PAX:
            return dict(_pax_records(data))
        text = data.rstrip(b"\x00").decode("utf-8", "surrogateescape")
        return {_LONG_NAME: {"path": text}, _LONG_LINK: {"linkpath": text}}.get(kind, {})

    def _body(self, size: int, *, keep: bool, name: str) -> bytes | None:
        padded = size + -size % BLOCK
        if keep:
            if len(self._buffer) - self._at < padded and not self._fill(padded):
                raise self._cut("the archive ends inside this member", name)
            data = self._buffer[self._at : self._at + size]
            self._at += padded
            return data
        while len(self._buffer) - self._at < padded:
            padded -= len(self._buffer) - self._at
            self._base += len(self._buffer)
            self._buffer, self._at = next(self._chunks, b""), 0
            if not self._buffer:
                raise self._cut("the archive ends inside this member", name)
        self._at += padded
        return None

    def _fill(self, size: int) -> bool:
        """Have at least `size` bytes at hand; False when the stream ends before."""
        pieces = [self._buffer[self._at :]]
        have = len(pieces[0])
        while have < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            pieces.append(chunk)
            have += len(chunk)
        self._base += self._at
        self._buffer, self._at = b"".join(pieces), 0
        return have >= size

    def _cut(self, message: str, name: str = "") -> BrokenArchiveError:
        place = f"byte {self.position} of the unpacked archive"
        return BrokenArchiveError(Kind.TRUNCATED, f"{name} ({place})" if name else place, message)


def _checksum_fits(header: bytes) -> bool:
    """The sum of all bytes, the checksum's own field as spaces (adler32 gives sums mod 65521)."""
    field = header[148:156]
    try:
        stored = int(field.strip(b"\x00 ") or b"0", 8)
    except ValueError:
        return False
    total = (zlib.adler32(header) - 1) & 0xFFFF
    return (total - sum(field) + 8 * 32 - stored) % 65521 == 0


def _number(field: bytes, position: int) -> int:
    """An octal field, or GNU's base-256 form for large numbers."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ((1 << 95) - 1)
        if field[0] & 0x40 or value >= 1 << 63:
            value = -1
    else:
        try:
            value = int(field.strip(b"\x00 ") or b"0", 8)
        except ValueError:
            value = -1
    if value < 0:
        place = f"byte {position} of the unpacked archive"
        raise BrokenArchiveError(Kind.DAMAGED, place, "a member's header has an impossible number")
    return value


def _names(header: bytes, position: int) -> tuple[str, str, int]:
    name = header[:100].partition(b"\x00")[0]
    if header[345] and header[257:262] == b"ustar":
        name = header[345:500].partition(b"\x00")[0] + b"/" + name
    link = header[157:257].partition(b"\x00")[0] if header[157] else b""
    mtime = _number(header[136:148], position)
    return name.decode("utf-8", "surrogateescape"), link.decode("utf-8", "surrogateescape"), mtime


def _overruled(extra: dict[str, str], size: int, mtime: int, position: int) -> tuple[int, int]:
    try:
        size = int(extra.get("size", size))
        mtime = int(float(extra.get("mtime", mtime)))
    except (ValueError, OverflowError):
        size = -1
    if not 0 <= size < 1 << 63:
        place = f"byte {position} of the unpacked archive"
        raise BrokenArchiveError(Kind.DAMAGED, place, "an extended header has an impossible number")
    return size, mtime


def _pax_records(data: bytes) -> Iterator[tuple[str, str]]:
    """`LENGTH KEY=VALUE\\n`, one after the other; whatever does not fit ends it."""
    at = 0
    while at < len(data):
        digits, _, _ = data[at : at + 20].partition(b" ")
        if not digits.isdigit() or int(digits) <= len(digits) + 1:
            return
        record = data[at + len(digits) + 1 : at + int(digits) - 1]
        key, _, value = record.partition(b"=")
        yield key.decode("utf-8", "replace"), value.decode("utf-8", "surrogateescape")
        at += int(digits)
