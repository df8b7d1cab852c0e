"""An archive on another volume: the very same bytes under the same id, or an error."""

from __future__ import annotations

import posixpath
from collections.abc import Callable

from fluxstate_tui.archive.catalogue import id_of, manifest_name
from fluxstate_tui.archive.manifest import CatalogueEntry
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.feeds.catalogues import is_there, read_catalogue
from fluxstate_tui.flux.file_upload import upload
from fluxstate_tui.flux.files import RemoteFiles, RemoteStat
from fluxstate_tui.operations.catalogue.folder_files import FolderFiles
from fluxstate_tui.operations.restore.arming import Version
from fluxstate_tui.operations.save.room import require_room
from fluxstate_tui.operations.world.patience import BROKEN

COPY_TRIES = 4


async def bring(
    source: FolderFiles,
    target: RemoteFiles,
    saved: Version,
    folder: str,
    tell: Callable[[str], None],
) -> CatalogueEntry:
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
    for entry in await read_catalogue(target, folder):
        if entry.id == identity and not entry.problem:
            return entry
    raise FluxstateError(
        f"{identity} does not read back from the new one's volume",
        safe="The archive in the old one's catalogue is untouched.",
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
