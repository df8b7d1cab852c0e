"""The members of an archive in any format that flux-dump writes and we read."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator

from fluxstate_tui.archive import compression, tar
from fluxstate_tui.archive.entries import Entry
from fluxstate_tui.archive.findings import BrokenArchiveError, Kind

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
