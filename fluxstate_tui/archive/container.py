"""The members of an archive in any format that flux-dump writes and we read."""

from __future__ import annotations

import io
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from fluxstate_tui.archive import compression, tar
from fluxstate_tui.archive.findings import BrokenArchiveError, Findings, Kind
from fluxstate_tui.archive.source import Source
from fluxstate_tui.archive.tar import Member, Wanted
from fluxstate_tui.archive.zip import ZipMembers

# What an archive consists of: one entry per KVS key (ARCHITECTURE.md#F8).


@dataclass(frozen=True, slots=True)
class Entry:
    """One member. `name` is the KVS key with '/' for '.'; `link` is set for a symlink."""

    name: str
    data: bytes = b""
    link: str | None = None
    mtime: int = 0


_SYMLINK_MODE = 0o120000
_TEXTS = {
    compression.Format.CPIO: "this is a cpio archive; fluxstate-tui reads tar, gz, bz2, xz and zip",
    compression.Format.ISO: "this is an ISO image; fluxstate-tui reads tar, gz, bz2, xz and zip",
    compression.Format.ZSTD: "this is zstd data, which neither flux-dump writes nor we read",
    compression.Format.LZ4: "this is lz4 data, which neither flux-dump writes nor we read",
    compression.Format.UNKNOWN: "unrecognized archive format",
}


def iter_entries(data: bytes) -> Iterator[Entry]:
    """Every file and symlink of an archive in memory, in the archive's order.

    Raises BrokenArchiveError after the last member that could be read, also for anything that is
    neither a file nor a symlink (flux-dump writes nothing else).
    """
    kind = compression.detect(data[: compression.HEAD_BYTES])
    if kind is compression.Format.ZIP:
        yield from _zip_entries(data)
        return
    stream = tar.TarStream(plain_chunks(kind, [data]))
    for member in stream.members(lambda _end: True):
        if member.kind == tar.SYMLINK:
            yield Entry(member.name, link=member.link, mtime=member.mtime)
        elif member.kind == tar.FILE and member.data is not None:
            yield Entry(member.name, member.data, mtime=member.mtime)
        elif member.kind != tar.DIRECTORY:
            raise BrokenArchiveError(Kind.HOSTILE, member.name, "not a plain file")
    stream.trailing()


def plain_chunks(kind: compression.Format, blocks: list[bytes]) -> Iterator[bytes]:
    """The plain tar stream of whole blocks in memory. Raises when it is no such archive."""
    refuse_unreadable(kind)
    if kind is compression.Format.TAR:
        return iter(blocks)
    return compression.Inflater(kind).chunks(blocks)


def refuse_unreadable(kind: compression.Format) -> None:
    """Raise BrokenArchiveError for formats that are known but not read, and for garbage."""
    if kind in _TEXTS:
        raise BrokenArchiveError(Kind.NOT_AN_ARCHIVE, "", _TEXTS[kind])


def _zip_entries(data: bytes) -> Iterator[Entry]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                content = archive.read(info)
                if (info.external_attr >> 16) & 0o170000 == _SYMLINK_MODE:
                    yield Entry(info.filename, link=content.decode("utf-8", "surrogateescape"))
                else:
                    yield Entry(info.filename, content)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise BrokenArchiveError(
            Kind.DAMAGED, "", f"the zip archive is damaged ({error})"
        ) from error


# All members of an archive in order, and again from any of them, whatever the format.

# A point to go on from costs 40 KB and is set this often in the plain stream. Only zlib has points.
# Files that are inflated again in a second need none: with isal (4 GB/s of an archive's plain data)
# those are large.
_POINT_EVERY = 1 << 24
_POINTS_FROM = 1 << 27 if compression.FAST else 1 << 22


class Members(Protocol):
    """An archive's members. Offsets come from `Member.offset` and have no meaning of their own."""

    def scan(self, wanted: Wanted, findings: Findings) -> Iterator[Member]:
        """All members, once, for the first time. Raises BrokenArchiveError where it must stop."""
        ...

    def again(self, offset: int, wanted: Wanted) -> Iterator[Member]:
        """The members from a known offset on."""
        ...


def open_members(source: Source) -> Members:
    """The members of a file, whose format is told by its content.

    Raises BrokenArchiveError for garbage and for formats that are not read.
    """
    kind = compression.detect(source.head(compression.HEAD_BYTES))
    refuse_unreadable(kind)
    if kind is compression.Format.ZIP:
        return ZipMembers(source)
    return TarMembers(source, kind)


class TarMembers:
    """A tar stream, compressed or not."""

    def __init__(self, source: Source, kind: compression.Format) -> None:
        self._source = source
        self._kind = kind
        self._points: list[compression.Inflater] = []

    def scan(self, wanted: Wanted, findings: Findings) -> Iterator[Member]:
        """All members; also reads what follows the end mark, for the checksums at the end."""
        stream = tar.TarStream(self._first_chunks())
        yield from stream.members(wanted)
        count, start = stream.trailing()
        if count:
            findings.add(Kind.DAMAGED, "after the end of the archive", _trailing(count, start))

    def again(self, offset: int, wanted: Wanted) -> Iterator[Member]:
        """The members from a plain offset on."""
        return tar.TarStream(self._chunks_from(offset), offset).members(wanted)

    def _first_chunks(self) -> Iterator[bytes]:
        if self._kind is compression.Format.TAR:
            yield from self._source.blocks(0, compression.WINDOW)
            return
        inflater = compression.Inflater(self._kind, points=self._source.size >= _POINTS_FROM)
        following = _POINT_EVERY
        for chunk in inflater.chunks(self._source.blocks()):
            yield chunk
            if inflater.produced >= following:
                following += _POINT_EVERY
                point = inflater.snapshot()
                if point is not None:
                    self._points.append(point)

    def _chunks_from(self, offset: int) -> Iterator[bytes]:
        if self._kind is compression.Format.TAR:
            yield from self._source.blocks(offset)
            return
        index = bisect_right(self._points, offset, key=lambda point: point.produced)
        point = self._points[index - 1].snapshot() if index else None
        inflater = point or compression.Inflater(self._kind)
        skip = offset - inflater.produced
        for chunk in inflater.chunks(self._source.blocks(inflater.consumed)):
            if skip < len(chunk):
                yield chunk[skip:] if skip else chunk
            skip = max(0, skip - len(chunk))


def _trailing(count: int, start: bytes) -> str:
    if compression.detect(start) is compression.Format.TAR:
        return (
            f"{count} more bytes follow, beginning with a second archive. "
            "Flux restores only the first one's jobs, and only those are shown"
        )
    return f"{count} more bytes follow that belong to no member"
