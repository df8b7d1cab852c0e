"""The members of a zip file: by its directory, or one after the other when that is not there."""

from __future__ import annotations

import contextlib
import io
import zipfile
import zlib
from collections.abc import Iterator

from fluxstate_tui.archive import compression, tar
from fluxstate_tui.archive.findings import BrokenArchiveError, Findings, Kind
from fluxstate_tui.archive.source import Source
from fluxstate_tui.archive.tar import FOLDER, Member, Wanted, member_named
from fluxstate_tui.archive.zip_stream import LocalFile, local_files, unix_time

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
