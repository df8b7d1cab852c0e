"""All members of an archive in order, and again from any of them, whatever the format."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Protocol

from fluxstate_tui.archive import compression, tar
from fluxstate_tui.archive.container import refuse_unreadable
from fluxstate_tui.archive.findings import Findings, Kind
from fluxstate_tui.archive.source import Source
from fluxstate_tui.archive.tar import Member, Wanted
from fluxstate_tui.archive.zip_members import ZipMembers

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
