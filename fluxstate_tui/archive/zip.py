"""The members of a zip file: by its directory, or one after the other when that is not there."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from fluxstate_tui.archive import compression, tar
from fluxstate_tui.archive.findings import BrokenArchiveError, Findings, Kind
from fluxstate_tui.archive.source import Source
from fluxstate_tui.archive.tar import FOLDER, MAX_VALUE, Member, Wanted, member_named

# A zip file from its front, one local header after the other: what is left when it was cut.
#
# The directory of a zip file is at its end. flux-dump (libarchive) writes members in one pass, so
# each begins with a header of its own, and sizes and checksum follow the data (APPNOTE.TXT
# 4.3.7-9).

_HEADER = struct.Struct("<4s5H3I2H")
_MAGIC, _DESCRIPTOR = b"PK\x03\x04", b"PK\x07\x08"
# What follows the last member: the directory and its ends, or archive extra data.
_NO_MEMBER = (b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x08", b"PK\x05\x05")
_ENCRYPTED, _SIZES_FOLLOW, _UTF8 = 1, 8, 1 << 11
_STORED, _DEFLATED = 0, 8
_UNIX_TIME = 0x5455
_PIECE = 1 << 16

Keep = Callable[[str], bool]
Spend = Callable[[int], None]


class LocalFile(NamedTuple):
    """A member by its local header. `data` is None where it was not kept, `at` where it begins.

    `broken` says what is wrong with its data, '' if the checksum is right.
    """

    name: str
    data: bytes | None
    mtime: int
    at: int
    broken: str


class _Header(NamedTuple):
    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    mtime: int
    body: int


def local_files(data: bytes, at: int, keep: Keep, spend: Spend) -> Iterator[LocalFile]:
    """The members from the local header at `at` on, up to the directory or the end.

    `keep(name)` says whose data is wanted; `spend(bytes)` is told what was unpacked and may raise.
    Raises BrokenArchiveError with the place where no member can be read any more.
    """
    while at < len(data) and not data.startswith(_NO_MEMBER, at):
        header = _header(data, at)
        unpacked, after, broken = _body(data, header, keep(header.name), spend)
        yield LocalFile(header.name, unpacked, header.mtime, at, broken)
        at = after


def unix_time(extra: bytes) -> int:
    """The time of the last change in a header's extra fields (`UT`), 0 if there is none."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        if kind == _UNIX_TIME and size >= 5 and extra[at + 4 : at + 5] and extra[at + 4] & 1:
            return int.from_bytes(extra[at + 5 : at + 9], "little")
        at += 4 + size
    return 0


def _header(data: bytes, at: int) -> _Header:
    if not data.startswith(_MAGIC, at):
        if _MAGIC.startswith(data[at : at + 4]):
            raise _cut(at)
        raise BrokenArchiveError(
            Kind.DAMAGED, f"byte {at} of the file", "a member's header is damaged"
        )
    if at + _HEADER.size > len(data):
        raise _cut(at)
    _, _, flags, method, _, _, crc, packed, size, name_size, extra_size = _HEADER.unpack_from(
        data, at
    )
    begin = at + _HEADER.size
    body = begin + name_size + extra_size
    if body > len(data):
        raise _cut(at)
    name = data[begin : begin + name_size].decode(
        "utf-8" if flags & _UTF8 else "cp437", "surrogateescape"
    )
    mtime = unix_time(data[begin + name_size : body])
    return _Header(
        name=name,
        flags=flags,
        method=method,
        crc=crc,
        packed=packed,
        size=size,
        mtime=mtime,
        body=body,
    )


def _body(data: bytes, header: _Header, keep: bool, spend: Spend) -> tuple[bytes | None, int, str]:
    """The unpacked data if kept, where the next header is, and what is wrong with it."""
    if header.flags & _ENCRYPTED or header.method not in (_STORED, _DEFLATED):
        return None, _behind(data, header), "it cannot be unpacked (unknown method)"
    kept: bytes | None
    if header.method == _STORED:
        end = _behind(data, header)
        spend(header.packed)
        kept = data[header.body : end]
        crc = zlib.crc32(kept)
    else:
        kept, crc, end = _inflated(data, header, keep, spend)
    expected = header.crc
    if header.flags & _SIZES_FOLLOW:
        expected, end = _descriptor(data, end)
    return (kept if keep else None), end, "" if crc == expected else "its checksum is wrong"


def _behind(data: bytes, header: _Header) -> int:
    """Where a body of known size ends."""
    end = header.body + header.packed
    if end > len(data):
        raise _cut(header.body, header.name)
    if header.flags & _SIZES_FOLLOW and not header.packed and header.method != _STORED:
        raise BrokenArchiveError(Kind.DAMAGED, header.name, "where it ends is not known")
    return end


def _inflated(
    data: bytes, header: _Header, keep: bool, spend: Spend
) -> tuple[bytes | None, int, int]:
    """Deflated data says itself where it ends: the data, its checksum, and that place."""
    inflater, at, crc = zlib.decompressobj(-zlib.MAX_WBITS), header.body, 0
    kept: list[bytes] = []
    rest, size = b"", 0
    while not inflater.eof:
        if not rest:
            rest = data[at : at + _PIECE]
            at += len(rest)
        try:
            out = inflater.decompress(rest, _PIECE)
        except zlib.error as error:
            raise BrokenArchiveError(
                Kind.DAMAGED, header.name, f"the compressed data is damaged ({error})"
            ) from error
        ended = not rest and not out
        rest = inflater.unconsumed_tail
        if ended and not inflater.eof:
            raise _cut(header.body, header.name)
        spend(len(out))
        crc = zlib.crc32(out, crc)
        size += len(out)
        if keep and size <= MAX_VALUE:
            kept.append(out)
    whole = b"".join(kept) if size <= MAX_VALUE else None
    return whole, crc, at - len(inflater.unused_data)


def _descriptor(data: bytes, at: int) -> tuple[int, int]:
    """Checksum and end of what follows the data: with or without a mark, sizes of 4 or 8 bytes."""
    begin = at + 4 if data.startswith(_DESCRIPTOR, at) else at
    end = begin + 12
    if not data.startswith(b"PK", end) and data.startswith(b"PK", begin + 20):
        end = begin + 20
    if end > len(data):
        raise _cut(at)
    return int.from_bytes(data[begin : begin + 4], "little"), end


def _cut(at: int, name: str = "") -> BrokenArchiveError:
    place = f"byte {at} of the file"
    return BrokenArchiveError(
        Kind.TRUNCATED, f"{name} ({place})" if name else place, "the zip archive ends in the middle"
    )


_LINK = 0o120000
_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    OverflowError,
)


class ZipMembers:
    """A zip file. Offsets are positions in its directory, or bytes of the file without one."""

    def __init__(self, source: Source) -> None:
        self._data = b"".join(source.blocks())
        self._no_directory = ""

    def scan(self, wanted: Wanted, findings: Findings) -> Iterator[Member]:
        """All members; every one is unpacked once, for its checksum."""
        ratio = compression.MAX_RATIO[compression.Format.ZIP]
        budget = _Budget(max(compression.FREE_BYTES, ratio * len(self._data)))
        try:
            archive = zipfile.ZipFile(io.BytesIO(self._data))
        except _ERRORS as error:
            self._no_directory = str(error)
            yield from self._without_directory(wanted, findings, budget)
            return
        with archive:
            for index, info in enumerate(archive.infolist()):
                budget.spend(info.file_size)
                try:
                    yield _member(archive, info, index, wanted)
                except _ERRORS as error:
                    findings.add(Kind.DAMAGED, info.filename, f"it cannot be unpacked ({error})")

    def again(self, offset: int, wanted: Wanted) -> Iterator[Member]:
        """The members from a position on."""
        if self._no_directory:
            for file in local_files(self._data, offset, _wanted_name(wanted), lambda _: None):
                yield _local_member(file)
            return
        with zipfile.ZipFile(io.BytesIO(self._data)) as archive:
            for index, info in enumerate(archive.infolist()[offset:], start=offset):
                with contextlib.suppress(*_ERRORS):  # it was told when it was read first
                    yield _member(archive, info, index, wanted)

    def _without_directory(
        self, wanted: Wanted, findings: Findings, budget: _Budget
    ) -> Iterator[Member]:
        """What is there from the front on; always ends with BrokenArchiveError."""
        for file in local_files(self._data, 0, _wanted_name(wanted), budget.spend):
            if file.broken:
                findings.add(Kind.DAMAGED, file.name, file.broken)
            else:
                yield _local_member(file)
        message = f"the zip directory is not there ({self._no_directory})"
        raise BrokenArchiveError(Kind.TRUNCATED, "the end of the file", message)


class _Budget:
    """How many bytes may still be unpacked."""

    def __init__(self, size: int) -> None:
        self._left = size

    def spend(self, size: int) -> None:
        """So many more are unpacked. Raises BrokenArchiveError when that is far too much."""
        self._left -= size
        if self._left < 0:
            raise BrokenArchiveError(Kind.HOSTILE, "", "it is a decompression bomb")


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, index: int, wanted: Wanted) -> Member:
    keep = _wanted_name(wanted)(info.filename) and info.file_size <= tar.MAX_VALUE
    link = (info.external_attr >> 16) & 0o170000 == _LINK
    kept: list[bytes] = []
    with archive.open(info) as file:
        left = info.file_size + 1
        while left > 0 and (piece := file.read(min(left, 1 << 20))):
            left -= len(piece)
            if keep or link:
                kept.append(piece)
    data = b"".join(kept)
    mtime = unix_time(info.extra)
    if link:
        target = data.decode("utf-8", "replace")
        return member_named(info.filename, tar.SYMLINK, None, mtime, index, target)
    kind = tar.DIRECTORY if info.is_dir() else tar.FILE
    return member_named(info.filename, kind, data if keep else None, mtime, index)


def _local_member(file: LocalFile) -> Member:
    """Links cannot be told from files here: only the directory knows."""
    kind = tar.DIRECTORY if file.name.endswith("/") else tar.FILE
    return member_named(file.name, kind, file.data, file.mtime, file.at)


def _wanted_name(wanted: Wanted) -> Wanted:
    """The same question, for a whole name."""
    return lambda name: wanted(name[FOLDER:] or name)
