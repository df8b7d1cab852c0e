"""Whether a volume has room for a file, asked before anything is written."""

from __future__ import annotations

import posixpath

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.files import RemoteFileMissing, RemoteFiles

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
