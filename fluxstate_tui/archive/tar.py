"""Members of a plain tar stream (POSIX ustar and pax, with GNU's long names), without trust.

Written for one pass over large windows: a Flux archive has five to seven small members per job,
and Python's tarfile spends seven times as long on them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

import msgspec

from fluxstate_tui.archive.findings import BrokenArchiveError, Kind

# The parts of tar headers, remembered: their meaning, and the sum of their bytes.
#
# An archive of Flux has tens of thousands of headers made of few different parts: the names of a
# job's files, sizes with one time, checksums. Each is read once. What is unusual raises ValueError.

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


BLOCK = 512

# flux-restore skips larger values, too (rc1 runs it with --size-limit=100M).
MAX_VALUE = 100 << 20
_MAX_EXTENSION = 1 << 20

FILE, SYMLINK, DIRECTORY = b"0", b"2", b"5"
_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK = b"x", b"g", b"L", b"K"
_EXTENSIONS = frozenset((_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK))
_BODILESS = frozenset((SYMLINK, DIRECTORY, b"1"))
_NAMES = ("utf-8", "surrogateescape")

# A name is cut where that of a job's directory ends: thousands of names end alike, and those of
# one job begin alike.
FOLDER = len("job/0000/0000/0000/0000/")

# Both parts of the name; mode, owner, size and time; the checksum; and the rest, type flag first.
_HEADER = struct.Struct("24s76s48s6s2x356s")

Wanted = Callable[[str], bool]


class Member(msgspec.Struct, frozen=True, gc=False):
    """One member. `data` is None where it was not wanted or is over `MAX_VALUE`.

    Its name is `folder`, up to `FOLDER` bytes, and `file`, the rest. `kind` is tar's type flag
    (FILE for all plain files). `offset` is that of the first header.
    """

    folder: str
    file: str
    kind: bytes
    data: bytes | None
    mtime: int
    offset: int
    link: str = ""

    @property
    def name(self) -> str:
        """The whole name."""
        return self.folder + self.file


def member_named(
    name: str, kind: bytes, data: bytes | None, mtime: int, offset: int, link: str = ""
) -> Member:
    """A member by its whole name."""
    return Member(
        folder=name[:FOLDER],
        file=name[FOLDER:],
        kind=kind,
        data=data,
        mtime=mtime,
        offset=offset,
        link=link,
    )


class TarStream:
    """A stream of plain chunks as members. `position` is the plain offset that was reached."""

    def __init__(self, chunks: Iterable[bytes], start: int = 0) -> None:
        self._chunks = iter(chunks)
        self._buffer = b""
        self._at = 0
        self._base = start
        self._tail = _Tail(bytes(BLOCK - 156))

    @property
    def position(self) -> int:
        """The plain offset of the next header."""
        return self._base + self._at

    def members(self, wanted: Wanted) -> Iterator[Member]:
        """Every member up to the end mark.

        `wanted(end)` says whose data is kept, by the end of the name: what follows `FOLDER` bytes,
        or all of a shorter name. Raises BrokenArchiveError for a cut or damaged stream, after all
        members before it.
        """
        parts = Parts(wanted)
        while True:
            yield from self._plain_members(parts)
            member = self._any_member(wanted)
            if member is None:
                return
            yield member

    def _plain_members(self, parts: Parts) -> Iterator[Member]:
        """The next members as long as they are files that lie in the buffer, headers as usual.

        It does the same as `_any_member`, in a quarter of the time: the end of a header is as it
        was before, and nearly every other part was met before, too.
        """
        buffer, at, base, tail = self._buffer, self._at, self._base, self._tail
        files, stats, checksums = parts.files, parts.stats, parts.checksums
        last = len(buffer) - BLOCK if tail.usual else -1
        before, folder, folder_sum = b"", "", 0
        while at <= last:
            head, rest, stat, checksum, end = _HEADER.unpack_from(buffer, at)
            if end != tail.raw:
                break
            try:
                if head != before:
                    folder, folder_sum = parts.folder(head)
                    before = head
                file, file_sum, keep = files[rest]
                size, padded, mtime, stat_sum = stats[stat]
                total = folder_sum + file_sum + stat_sum + tail.remainder
                start = at + BLOCK
                following = start + padded
                if checksums[checksum] != total or following > len(buffer):
                    break
            except ValueError:
                break
            data = buffer[start : start + size] if keep else None
            yield Member(
                folder=folder, file=file, kind=FILE, data=data, mtime=mtime, offset=base + at
            )
            at = following
        self._at = at

    def _any_member(self, wanted: Wanted) -> Member | None:
        """The next member of any kind, or None at the end mark."""
        extra: dict[str, str] = {}
        first = self.position
        while (header := self._header()) is not None:
            if header[156:] != self._tail.raw:
                self._tail = _Tail(header[156:])
            tail = self._tail
            if not tail.fits(header):
                raise self._damaged("a member's header is damaged")
            size, mtime = self._number(header[124:136]), self._number(header[136:148])
            self._at += BLOCK
            if tail.kind in _EXTENSIONS:
                extra.update(self._extension(tail.kind, size))
                continue
            name = tail.prefix + header[:100].rstrip(b"\x00").decode(*_NAMES)
            member = member_named(name, tail.kind, None, mtime, first, tail.link)
            return self._with_body(member, size, extra, wanted)
        return None

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
        header = self._buffer[self._at : self._at + BLOCK]
        if len(header) < BLOCK:
            if not self._fill(BLOCK):
                raise self._cut("the archive ends without its end mark")
            header = self._buffer[:BLOCK]
        if header[0] == 0 and not header.strip(b"\x00"):
            self._at += BLOCK
            return None
        return header

    def _number(self, field: bytes) -> int:
        """An octal field, or GNU's base-256 form for large numbers."""
        if field[0] < 0x80:
            try:
                return octal(field.strip(b"\x00 ") or b"0")
            except ValueError:
                raise self._damaged("a member's header has an impossible number") from None
        value = int.from_bytes(field, "big") & ((1 << 95) - 1)
        if field[0] & 0x40 or value >= 1 << 63:
            raise self._damaged("a member's header has an impossible number")
        return value

    def _with_body(
        self, member: Member, size: int, extra: dict[str, str], wanted: Wanted
    ) -> Member:
        """The member with its data, and with what extended headers said about it."""
        try:
            size = int(extra.get("size", size))
            mtime = int(float(extra.get("mtime", member.mtime)))
        except (ValueError, OverflowError):
            raise self._damaged("an extended header has an impossible number") from None
        if not 0 <= size < 1 << 63:
            raise self._damaged("an extended header has an impossible number")
        name = extra.get("path", member.name)
        sparse = any(key.startswith("GNU.sparse") for key in extra)
        body = 0 if member.kind in _BODILESS else size
        return member_named(
            name,
            b"S" if sparse else member.kind,
            self._body(body, wanted(name[FOLDER:] or name), name),
            mtime,
            member.offset,
            extra.get("linkpath", member.link),
        )

    def _extension(self, kind: bytes, size: int) -> dict[str, str]:
        if size > _MAX_EXTENSION:
            place = f"byte {self.position} of the unpacked archive"
            raise BrokenArchiveError(Kind.HOSTILE, place, "an extended header is far too large")
        data = self._body(size, True, "an extended header") or b""
        if kind == _PAX:
            return dict(_pax_records(data))
        text = data.rstrip(b"\x00").decode(*_NAMES)
        return {_LONG_NAME: {"path": text}, _LONG_LINK: {"linkpath": text}}.get(kind, {})

    def _body(self, size: int, keep: bool, name: str) -> bytes | None:
        """Go behind a member's data; the data itself if it is to be kept and not too large."""
        padded = (size + BLOCK - 1) & -BLOCK
        at = self._at
        if at + padded <= len(self._buffer):
            self._at = at + padded
            return self._buffer[at : at + size] if keep else None
        if keep and size <= MAX_VALUE:
            if not self._fill(padded):
                raise self._cut("the archive ends inside this member", name)
            self._at = padded
            return self._buffer[:size]
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

    def _damaged(self, message: str) -> BrokenArchiveError:
        place = f"byte {self.position} of the unpacked archive"
        return BrokenArchiveError(Kind.DAMAGED, place, message)


class _Tail:
    """A header from the type flag on. It is the same for nearly all members: parsed once."""

    __slots__ = ("kind", "link", "prefix", "raw", "remainder", "usual")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.remainder = sum(raw) + 8 * 32
        kind = raw[:1]
        self.kind = FILE if kind in (b"\x00", b"7") else kind
        self.link = raw[1:101].partition(b"\x00")[0].decode(*_NAMES)
        directory = raw[189:344].partition(b"\x00")[0].decode(*_NAMES)
        self.prefix = f"{directory}/" if directory and raw[101:106] == b"ustar" else ""
        self.usual = self.kind == FILE and not self.prefix

    def fits(self, header: bytes) -> bool:
        """The checksum: the sum of all bytes with its own field as spaces."""
        try:
            stored = int(header[148:156].strip(b"\x00 ") or b"0", 8)
        except ValueError:
            return False
        return byte_sum(header[:148]) + self.remainder == stored


def _pax_records(data: bytes) -> Iterator[tuple[str, str]]:
    """`LENGTH KEY=VALUE\\n`, one after the other; whatever does not fit ends it."""
    at = 0
    while at < len(data):
        digits, _, _ = data[at : at + 20].partition(b" ")
        if not digits.isdigit() or int(digits) <= len(digits) + 1:
            return
        record = data[at + len(digits) + 1 : at + int(digits) - 1]
        key, _, value = record.partition(b"=")
        yield key.decode("utf-8", "replace"), value.decode(*_NAMES)
        at += int(digits)
