"""Files of a catalog, in a container or in a folder of this computer: the same questions."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import IO, Protocol, TypeVar

from fluxstate_tui.broker.files import (
    RemoteEntry,
    RemoteFileError,
    RemoteFileMissing,
    RemoteFileTaken,
    RemoteStat,
)
from fluxstate_tui.private_files import temporary_file

# Files of this computer that never overwrite another one and are whole once they have a name.
#
# Temporary name in the same folder, flush, name, flush the folder
# (ARCHITECTURE.md#F101, ARCHITECTURE.md#F102). A flush
# that fails is an error, and what was written is thrown away.


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """What is written is `path` after the block, unless that raises: then nothing is there.

    Raises FileExistsError, without having touched it, when something has that name.
    """
    if path.exists() or path.is_symlink():
        raise FileExistsError(f"{path} exists")
    with temporary_file(path.parent) as (part, target):
        yield target
        target.flush()
        os.fsync(target.fileno())
        _enter(part, path)


def flush_folder(folder: Path) -> None:
    """So that a name, or that it is gone, survives a crash."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _enter(part: Path, path: Path) -> None:
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here: take the name first, so that of two programs one fails.
        path.open("xb").close()
        try:
            part.replace(path)
        except BaseException:
            path.unlink()
            raise
    flush_folder(path.parent)


T = TypeVar("T")

_CHUNK = 1 << 20


class FolderFiles(Protocol):
    """What flux.files.RemoteFiles and LocalFolder have in common; the errors are the same."""

    async def list(self, folder: str) -> builtins.list[RemoteEntry]:
        """Its regular files."""
        ...

    async def read_small(
        self, folder: str, suffix: str, limit: int, at_limit: int
    ) -> dict[str, bytes]:
        """Files whose names end so: those below `limit` bytes, `at_limit` of just that size."""
        ...

    async def stat(self, path: str) -> RemoteStat:
        """Size, sha256, time."""
        ...

    def read(self, path: str, offset: int = 0) -> AsyncIterator[bytes]:
        """Its bytes."""
        ...

    async def write_new(self, path: str, data: bytes) -> RemoteStat:
        """A new file, complete and flushed before it gets its name."""
        ...

    async def copy(self, source: str, path: str) -> RemoteStat:
        """The same for a copy."""
        ...

    async def remove(self, path: str) -> None:
        """Remove it; one that is not there is fine."""
        ...

    async def mkdir(self, path: str) -> None:
        """Make a folder; one that is there is fine."""
        ...


class LocalFolder:
    """Files of this computer."""

    async def list(self, folder: str) -> builtins.list[RemoteEntry]:
        """Its regular files, by name. Raises RemoteFileMissing."""
        return await _here(folder, lambda: _list(Path(folder)))

    async def read_small(
        self, folder: str, suffix: str, limit: int, at_limit: int
    ) -> dict[str, bytes]:
        """See RemoteFiles.read_small. Without the hidden ones."""

        def read() -> dict[str, bytes]:
            found, left = {}, at_limit
            for item in _list(Path(folder)):
                if not item.name.endswith(suffix) or item.name[0] == ".":
                    continue
                left -= item.size == limit
                if item.size < limit or (item.size == limit and left >= 0):
                    with contextlib.suppress(FileNotFoundError):  # it vanished meanwhile
                        found[item.name] = _beginning(Path(folder) / item.name, item.size)
            return found

        return await _here(folder, read)

    async def stat(self, path: str) -> RemoteStat:
        """Size, sha256 and time. Raises RemoteFileMissing."""
        return await _here(path, lambda: _stat(Path(path)))

    async def read(self, path: str, offset: int = 0) -> AsyncIterator[bytes]:
        """Its bytes from `offset` on. Raises RemoteFileMissing."""
        with await _here(path, lambda: Path(path).open("rb")) as handle:
            handle.seek(offset)
            while data := await _here(path, lambda: handle.read(_CHUNK)):
                yield data

    async def write_new(self, path: str, data: bytes) -> RemoteStat:
        """A new file. Raises RemoteFileTaken."""

        def write() -> None:
            with new_file(Path(path)) as target:
                target.write(data)

        await _here(path, write)
        return await self.stat(path)

    async def copy(self, source: str, path: str) -> RemoteStat:
        """A new file with the same content. Raises RemoteFileTaken, RemoteFileMissing."""

        def copy() -> None:
            with Path(source).open("rb") as giver, new_file(Path(path)) as taker:
                shutil.copyfileobj(giver, taker, _CHUNK)

        await _here(path, copy)
        return await self.stat(path)

    async def remove(self, path: str) -> None:
        """Remove a file; one that is not there is fine."""

        def remove() -> None:
            Path(path).unlink(missing_ok=True)
            flush_folder(Path(path).parent)

        await _here(path, remove)

    async def mkdir(self, path: str) -> None:
        """Make a folder and those above it."""
        await _here(path, lambda: Path(path).mkdir(parents=True, exist_ok=True))


async def _here(path: str, work: Callable[[], T]) -> T:
    """Do it in a thread; what the system says becomes an error for people."""
    try:
        return await asyncio.to_thread(work)
    except (FileNotFoundError, NotADirectoryError) as error:
        missing = error.filename or path
        raise RemoteFileMissing(f"{missing} does not exist.", safe="Nothing was changed.") from None
    except FileExistsError:
        raise RemoteFileTaken(f"{path} exists.", safe="It was not touched.") from None
    except OSError as error:
        raise RemoteFileError(f"{path}: {error.strerror}.", safe="It was not changed.") from error


def _list(folder: Path) -> list[RemoteEntry]:
    found = []
    for item in sorted(folder.iterdir()):
        try:
            state = item.stat()
        except FileNotFoundError:
            continue  # a link to nowhere, or it vanished meanwhile: the others are there
        if stat.S_ISREG(state.st_mode):
            found.append(RemoteEntry(item.name, state.st_size, float(int(state.st_mtime))))
    return found


def _beginning(path: Path, size: int) -> bytes:
    """Of a file that may have grown since."""
    with path.open("rb") as file:
        return file.read(size)


def _stat(path: Path) -> RemoteStat:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    state = path.stat()
    return RemoteStat(state.st_size, digest, float(int(state.st_mtime)))
