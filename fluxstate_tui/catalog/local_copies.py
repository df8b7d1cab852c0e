"""Copies of archives on this computer, for the day on which a volume goes bad or goes away.

Once a MiniCluster is deleted, one file on one volume has its jobs. So a delete and a migration
leave a copy of that file with its manifest in the user's state directory:
`copies/<begin of the uid>/<id>.tar.gz`. It is what `restore NAME --from FILE` takes. A copy is an
extra: whatever hinders it is told, and hinders nothing else. The oldest go when all of them
together need more room than they may.
"""

from __future__ import annotations

import asyncio
import contextlib
import posixpath
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fluxstate_tui.archive.manifest import (
    CatalogEntry,
    Manifest,
    ManifestError,
    from_bytes,
    id_of,
    manifest_name,
)
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.catalog.folder import FolderFiles
from fluxstate_tui.catalog.maintenance import NotSoundError, fetch_archive
from fluxstate_tui.errors import FluxstateError, said
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.private_files import private_folder

FOLDER = "copies"


class Copied(NamedTuple):
    """Where a copy is, None if there is none, and what to say about it."""

    path: Path | None
    words: str = ""


async def keep_copy(
    context: OperationContext,
    files: FolderFiles,
    entry: CatalogEntry,
    ref: ClusterRef,
    tell: Callable[[str], None],
) -> Copied:
    """Leave a verified copy of an archive of `ref` that has a manifest here, if there may be any.

    Raises NotSoundError when the archive is not what its manifest says.
    """
    room = context.room_for_copies
    if entry.manifest is None or not room:
        return Copied(None)
    if entry.size > room:
        size = f"{entry.size:,} of {room:,} bytes"
        return Copied(None, f"too large for a copy on this computer ({size})")
    folder = context.state_dir / FOLDER / ref.uid[:8]
    path = folder / posixpath.basename(entry.path)
    try:
        await asyncio.to_thread(_prepare, path)
        progress = "{:,} of {:,} bytes are copied to this computer".format
        await fetch_archive(files, entry, folder, lambda done: tell(progress(done, entry.size)))
    except NotSoundError:
        raise
    except (FluxstateError, OSError) as error:
        return Copied(None, f"no copy is on this computer: {said(error).rstrip('.')}")
    with contextlib.suppress(OSError):  # the next one tidies up
        await asyncio.to_thread(_tidy, context.state_dir / FOLDER, path, room)
    return Copied(path, f"a copy is on this computer: {path}")


def newest_copy(state_dir: Path, ref: ClusterRef) -> Path | None:
    """The copy made last of an archive of that name and namespace, whatever cluster it is from."""
    found = [
        (path.stat().st_mtime, path)
        for path in _archives(state_dir / FOLDER)
        if (manifest := _manifest_of(path)) is not None
        and (manifest.namespace, manifest.minicluster) == (ref.namespace, ref.name)
    ]
    return max(found)[1] if found else None


def _prepare(path: Path) -> None:
    """Make the folder; a copy of an earlier try is made anew."""
    private_folder(path.parent.parent, path.parent.name)
    _remove(path)


def _tidy(copies: Path, new: Path, room: int) -> None:
    """Remove the oldest but the new one, which is there by now, until all fit into `room` bytes."""
    sizes = {path: path.stat().st_size for path in _archives(copies)}
    for path in sorted(sizes.keys() - {new}, key=lambda one: one.stat().st_mtime):
        if sum(sizes.values()) <= room:
            break
        del sizes[path]
        _remove(path)


def _archives(copies: Path) -> list[Path]:
    return [path for path in copies.glob("*/*") if id_of(path.name)]


def _manifest_path(archive: Path) -> Path:
    return archive.with_name(manifest_name(id_of(archive.name)))


def _manifest_of(archive: Path) -> Manifest | None:
    try:
        return from_bytes(_manifest_path(archive).read_bytes())
    except (ManifestError, OSError):
        return None


def _remove(archive: Path) -> None:
    archive.unlink(missing_ok=True)
    _manifest_path(archive).unlink(missing_ok=True)
