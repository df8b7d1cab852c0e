"""An archive on another volume: the very same bytes under the same id, or an error."""

from __future__ import annotations

import posixpath
from collections.abc import Callable

from fluxstate_tui.archive.catalogue import archive_name, manifest_name
from fluxstate_tui.archive.manifest import CatalogueEntry
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.feeds.catalogues import is_there, read_catalogue
from fluxstate_tui.flux.files import RemoteFiles
from fluxstate_tui.operations.dumping import Saved
from fluxstate_tui.operations.patience import BROKEN

READ_TRIES = 4


async def bring(
    source: RemoteFiles,
    target: RemoteFiles,
    saved: Saved,
    folder: str,
    tell: Callable[[str], None],
) -> CatalogueEntry:
    """The saved archive as the target's volume has it; it is copied there unless it is the same.

    Raises FluxstateError (exit 6) when it does not read back as it was saved.
    """
    if not await _has(target, saved, saved.path):
        path = posixpath.join(folder, archive_name(saved.id))
        beside = posixpath.join(posixpath.dirname(saved.path), manifest_name(saved.id))
        await target.mkdir(folder)
        if not await _has(target, saved, path):
            tell(f"copying {saved.size:,} bytes to the other volume")
            await target.write_new(path, await _read(source, saved.path, tell))
        if not await is_there(target, posixpath.join(folder, manifest_name(saved.id))):
            manifest = await _read(source, beside, tell)
            await target.write_new(posixpath.join(folder, manifest_name(saved.id)), manifest)
    else:
        folder = posixpath.dirname(saved.path)
    for entry in await read_catalogue(target, folder):
        if entry.id == saved.id and not entry.problem:
            return entry
    raise FluxstateError(
        f"{saved.id} does not read back from the new one's volume",
        safe="The archive in the old one's catalogue is untouched.",
        exit_code=ExitCode.VERIFICATION,
    )


async def _has(files: RemoteFiles, saved: Saved, path: str) -> bool:
    if not await is_there(files, path):
        return False
    found = await files.stat(path)
    return (found.size, found.sha256) == (saved.size, saved.sha256)


async def _read(files: RemoteFiles, path: str, tell: Callable[[str], None]) -> bytes:
    for attempt in range(READ_TRIES):
        try:
            return b"".join([chunk async for chunk in files.read(path)])
        except BROKEN as error:
            if attempt == READ_TRIES - 1:
                raise
            tell(f"{error.message} Reading again.")
    raise AssertionError("unreachable")
