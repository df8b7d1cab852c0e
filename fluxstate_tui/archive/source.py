"""The bytes of an archive, from memory or from a file: read once, and again later in pieces."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from fluxstate_tui.errors import ExitCode, FluxstateError

# What one window of plain data needs, a few times over: zlib hands back what it did not use yet.
BLOCK = 1 << 16

# Files up to this size stay in memory, so that a job's details do not depend on the file any more.
_KEPT_BYTES = 1 << 26


class Source:
    """Where an archive's bytes come from. `size` is in bytes; `name` is '' for bytes in memory.

    A large file is opened again for details; FluxstateError when it was changed meanwhile.
    """

    def __init__(self, source: Path | bytes) -> None:
        if isinstance(source, bytes):
            self.name, self.size = "", len(source)
            self._data: bytes | None = source
            return
        self.name = str(source)
        self._path = source
        self._identity = self._look()
        self.size = self._identity[0]
        self._data = self._read_whole() if self.size <= _KEPT_BYTES else None

    def head(self, size: int) -> bytes:
        """The first bytes."""
        return next(self.blocks(0, size), b"")

    def blocks(self, start: int = 0, size: int = BLOCK) -> Iterator[bytes]:
        """The bytes from an offset on, in blocks."""
        if self._data is not None:
            for at in range(start, len(self._data), size):
                yield self._data[at : at + size]
            return
        if self._look() != self._identity:
            raise FluxstateError(
                f"{self.name} was changed while it was open.",
                safe="Nothing was written.",
                advice="Open it again.",
            )
        with self._path.open("rb") as file:
            file.seek(start)
            while block := file.read(size):
                yield block

    def _look(self) -> tuple[int, int, int]:
        """Size, time and inode; refuses what is not a regular file (a FIFO would block)."""
        try:
            found = self._path.stat()
        except OSError as error:
            raise _unreadable(self.name, error) from error
        if not stat.S_ISREG(found.st_mode):
            raise FluxstateError(
                f"{self.name} is not a file.",
                advice="Name a file that flux dump wrote.",
                exit_code=ExitCode.NOT_FOUND,
            )
        return found.st_size, found.st_mtime_ns, found.st_ino

    def _read_whole(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise _unreadable(self.name, error) from error


def _unreadable(name: str, error: OSError) -> FluxstateError:
    reason = error.strerror or str(error)
    return FluxstateError(
        f"{name} cannot be read: {reason}.",
        advice="Check the name and the rights.",
        exit_code=ExitCode.NOT_FOUND,
    )
