"""Files of a catalogue, in a container or in a folder of this computer: the same questions."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import os
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from fluxstate_tui.flux.files import (
    RemoteEntry,
    RemoteStat,
)

_CHUNK = 1 << 20


class FolderFiles(Protocol):
    """What flux.files.RemoteFiles and LocalFolder have in common; the errors are the same."""

    async def list(self, folder: str) -> builtins.list[RemoteEntry]:
        """Its regular files."""
        ...

    async def read_small(self, folder: str, suffix: str, limit: int = 1 << 20) -> dict[str, bytes]:
        """Files whose names end so, by name."""
        ...

    async def stat(self, path: str) -> RemoteStat:
        """Size, sha256, time."""
        ...

    def read(self, path: str, offset: int = 0) -> AsyncIterator[bytes]:
        """Its bytes, with size and checksum compared at the end."""
        ...

    async def write_new(self, path: str, data: bytes) -> RemoteStat:
        """A new file, complete and flushed before it gets its name."""
        ...

    async def link_new(self, source: str, path: str) -> None:
        """A second name (a copy where there are no links), never overwriting."""
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
        return await _here(lambda: _list(Path(folder)))

    async def read_small(self, folder: str, suffix: str, limit: int = 1 << 20) -> dict[str, bytes]:
        """Files whose names end so, at most `limit` bytes each, hidden ones left out."""

        def read() -> dict[str, bytes]:
            names = [
                item.name
                for item in _list(Path(folder))
                if item.name.endswith(suffix) and item.size <= limit and item.name[0] != "."
            ]
            return {name: (Path(folder) / name).read_bytes() for name in names}

        return await _here(read)

    async def stat(self, path: str) -> RemoteStat:
        """Size, sha256 and time. Raises RemoteFileMissing."""
        return await _here(lambda: _stat(Path(path)))

    async def read(self, path: str, offset: int = 0) -> AsyncIterator[bytes]:
        """Its bytes from `offset` on."""
        handle = await _here(lambda: Path(path).open("rb"))
        with contextlib.closing(handle):
            handle.seek(offset)
            while data := await asyncio.to_thread(handle.read, _CHUNK):
                yield data

    async def write_new(self, path: str, data: bytes) -> RemoteStat:
        """A new file, flushed before it gets its name. Raises RemoteFileTaken."""

        def write() -> None:
            with part_file(Path(path)) as part:
                with part.open("xb") as target:
                    target.write(data)
                    flush(target.fileno())
                enter(part, Path(path))

        await _here(write)
        return await self.stat(path)

    async def link_new(self, source: str, path: str) -> None:
        """A second name, or a copy. Raises RemoteFileTaken, RemoteFileMissing."""

        def link() -> None:
            try:
                os.link(source, path, follow_symlinks=True)
                flush_folder(Path(path).parent)
            except FileExistsError:
                raise
            except FileNotFoundError:
                raise
            except OSError:
                with part_file(Path(path)) as part:
                    copy(Path(source), part)
                    enter(part, Path(path))

        await _here(link)

    async def remove(self, path: str) -> None:
        """Remove a file; one that is not there is fine."""

        def remove() -> None:
            Path(path).unlink(missing_ok=True)
            flush_folder(Path(path).parent)

        await _here(remove)

    async def mkdir(self, path: str) -> None:
        """Make a folder and those above it."""
        await _here(lambda: Path(path).mkdir(parents=True, exist_ok=True))


@contextlib.contextmanager
def part_file(path: Path) -> Iterator[Path]:
    """A name beside `path` that nobody else has; what is left of it is removed at the end."""
    part = path.with_name(f".part-{secrets.token_hex(6)}-{path.name}"[:200])
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def enter(part: Path, path: Path) -> None:
    """Give a complete, flushed file its name. Raises FileExistsError when that is taken.

    Where the file system has no hard links, two programs could race for the name: it is then
    taken first, empty, by an exclusive open.
    """
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:
        path.open("xb").close()
        part.replace(path)
    flush_folder(path.parent)


def copy(source: Path, target: Path) -> None:
    """A flushed copy in a new file. A failed flush is an error (facts/client.md, P3)."""
    with source.open("rb") as giver, target.open("xb") as taker:
        shutil.copyfileobj(giver, taker, _CHUNK)
        flush(taker.fileno(), taker)


def flush(descriptor: int, handle: IO[bytes] | None = None) -> None:
    """To the disk."""
    if handle is not None:
        handle.flush()
    os.fsync(descriptor)
