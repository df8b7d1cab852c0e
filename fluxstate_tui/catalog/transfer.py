"""Reading an archive out of a pod and parsing it: nothing is believed that was not read back."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from fluxstate_tui.archive.manifest import CatalogEntry, id_of, manifest_name
from fluxstate_tui.archive.reader import Archive, read_archive
from fluxstate_tui.broker.files import RemoteFileMissing, RemoteFiles, RemoteStat, upload
from fluxstate_tui.broker.retry import BROKEN
from fluxstate_tui.catalog.catalog import Version, is_there, read_catalog
from fluxstate_tui.catalog.folder import FolderFiles
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.private_files import temporary_file

LEFTOVER_SECONDS = 6 * 3600.0  # what nobody has written to for so long, nobody will
_TRIES = 4
_TELL_EVERY = 4 * 1024 * 1024


async def _read(
    files: RemoteFiles, path: str, target: IO[bytes], tell: Callable[[int], None]
) -> None:
    """From the beginning, whatever was read before."""
    target.seek(0)
    target.truncate()
    done = told = 0
    async for chunk in files.read(path):
        target.write(chunk)
        done += len(chunk)
        if done - told >= _TELL_EVERY:
            told = done
            tell(done)
    target.flush()


@asynccontextmanager
async def fetch(
    files: RemoteFiles,
    path: str,
    state_dir: Path,
    tell: Callable[[str], None],
) -> AsyncIterator[Archive]:
    """Read it to a private temporary file, parse it, and compare the checksum with the pod's.

    Details of its jobs (output, jobspecs) can be read inside the block only.
    Raises FluxstateError (exit 6) when it reads back differently.
    """
    stat = await files.stat(path)
    await asyncio.to_thread(state_dir.mkdir, 0o700, True, True)
    with temporary_file(state_dir, ".part") as (copy, target):
        for attempt in range(_TRIES):
            try:
                await _read(files, path, target, lambda done: tell(f"{done:,} of {stat.size:,}"))
                break
            except BROKEN as error:
                if attempt == _TRIES - 1:
                    raise
                tell(f"{error.message} Reading again.")
        archive = await asyncio.to_thread(read_archive, copy)
        if (archive.size, archive.sha256) != (stat.size, stat.sha256):
            raise FluxstateError(
                f"{path} was read out as {archive.size:,} bytes with another checksum",
                safe="The file in the pod is untouched.",
                advice="Somebody may be writing to it; try again.",
                exit_code=ExitCode.VERIFICATION,
            )
        yield archive


# Whether a volume has room for a file, asked before anything is written.

SPARE = 1 << 16  # for a manifest and a folder


async def free_bytes(files: RemoteFiles, folder: str) -> int:
    """Room where `folder` is or is going to be made."""
    while True:
        try:
            return await files.free_bytes(folder)
        except RemoteFileMissing:
            if folder in ("/", ""):
                raise
            folder = posixpath.dirname(folder)


async def require_room(files: RemoteFiles, folder: str, size: int) -> None:
    """Raise FluxstateError when a file of that size does not fit."""
    free, need = await free_bytes(files, folder), size + SPARE
    if free < need:
        raise FluxstateError(
            f"the volume of {folder} has {free:,} bytes free; {need:,} are needed",
            safe="Nothing was written; the archives there are untouched.",
            advice="Remove archives that are not needed, or enlarge the volume.",
        )


# An archive on another volume: the very same bytes under the same id, or an error.

COPY_TRIES = 4


async def bring(
    source: FolderFiles,
    target: RemoteFiles,
    saved: Version,
    folder: str,
    tell: Callable[[str], None],
) -> CatalogEntry:
    """The archive as the target's volume has it; it is copied there unless it is the same.

    Raises FluxstateError (exit 6) when it does not read back as it was saved.
    """
    name = posixpath.basename(saved.path)
    identity = id_of(name)
    if not await has(target, saved, saved.path):
        await target.mkdir(folder)
        if not await has(target, saved, posixpath.join(folder, name)):
            await require_room(target, folder, saved.size)
            await _copy(source, target, saved, posixpath.join(folder, name), tell)
        beside = posixpath.join(folder, manifest_name(identity))
        if not await is_there(target, beside):
            there = posixpath.join(posixpath.dirname(saved.path), manifest_name(identity))
            manifest = b"".join([chunk async for chunk in source.read(there)])
            await target.write_new(beside, manifest)
    else:
        folder = posixpath.dirname(saved.path)
    for entry in await read_catalog(target, folder):
        if entry.id == identity and not entry.problem:
            return entry
    raise FluxstateError(
        f"{identity} does not read back from the new one's volume",
        safe="The archive in the old one's catalog is untouched.",
        exit_code=ExitCode.VERIFICATION,
    )


async def _copy(
    source: FolderFiles,
    target: RemoteFiles,
    saved: Version,
    path: str,
    tell: Callable[[str], None],
) -> None:
    """From the beginning again when reading or writing broke for good."""

    def told(done: int) -> None:
        tell(f"{done:,} of {saved.size:,} bytes are on the other volume")

    for attempt in range(COPY_TRIES):
        try:
            wanted = RemoteStat(saved.size, saved.sha256, 0.0)
            await upload(target, path, wanted, source.read(saved.path), told)
        except BROKEN as error:
            if attempt == COPY_TRIES - 1:
                raise
            tell(f"{error.message} Copying again.")
        else:
            return


async def has(files: RemoteFiles, saved: Version, path: str) -> bool:
    """Whether that very archive lies at `path`."""
    if not await is_there(files, path):
        return False
    found = await files.stat(path)
    return (found.size, found.sha256) == (saved.size, saved.sha256)
