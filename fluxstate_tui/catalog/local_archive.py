"""An archive of this computer on its way into a catalog: verified here, and again over there."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from fluxstate_tui.archive.manifest import (
    CatalogEntry,
    Manifest,
    ManifestError,
    Part,
    from_bytes,
    id_of,
    manifest_name,
    new_id,
    to_bytes,
)
from fluxstate_tui.archive.reader import Archive
from fluxstate_tui.archive.verify import verify
from fluxstate_tui.broker.files import RemoteFiles, RemoteStat, upload
from fluxstate_tui.catalog.adopt import Adoption, manifest_for, read_back
from fluxstate_tui.catalog.folder import LocalFolder
from fluxstate_tui.catalog.maintenance import NotSoundError
from fluxstate_tui.catalog.transfer import require_room
from fluxstate_tui.errors import ExitCode, FluxstateError


@dataclass(frozen=True, slots=True)
class LocalArchive:
    """A sound archive; `manifest` is the intact one beside it, as a fetch leaves it, if any."""

    path: Path
    archive: Archive
    manifest: Manifest | None


async def read_local(path: Path) -> LocalArchive:
    """Check it as far as possible without Flux. Raises FluxstateError: 6 when it is not sound."""
    if not id_of(path.name):
        raise FluxstateError(
            f"{path} is no archive by its name", safe="Nothing was done.", exit_code=ExitCode.USAGE
        )
    manifest = await asyncio.to_thread(_manifest_beside, path)
    expected = _queue_part(manifest) if manifest is not None else None
    verdict = await asyncio.to_thread(lambda: verify(path, expected=expected))
    if not verdict.kind.good:
        raise NotSoundError(
            f"{path}: {verdict.sentence()}",
            safe="Nothing was sent to the volume.",
            advice="An archive that is not sound is not entered into a catalog.",
        )
    return LocalArchive(path, verdict.archive, manifest)


def _manifest_beside(path: Path) -> Manifest | None:
    beside = path.with_name(manifest_name(id_of(path.name)))
    try:
        manifest = from_bytes(beside.read_bytes())
    except FileNotFoundError:
        return None
    except (ManifestError, OSError) as error:
        raise NotSoundError(
            f"{beside}: {error}",
            safe="Nothing was sent to the volume.",
            advice="Move that manifest away to bring the archive in as one that others made.",
        ) from error
    part = _queue_part(manifest)
    mine = manifest.id == id_of(path.name) and part is not None and part.file == path.name
    return manifest if mine else None


def _queue_part(manifest: Manifest) -> Part | None:
    return next((part for part in manifest.parts if part.kind == "queue"), None)


async def damaged(
    files: RemoteFiles, local: LocalArchive, entries: Sequence[CatalogEntry]
) -> frozenset[str]:
    """Ids whose manifest promises these very bytes, while their files have others by now."""
    promised = [entry for entry in entries if _promises(entry, local.archive.sha256)]
    return frozenset([entry.id for entry in promised if not await _is_as_promised(files, entry)])


def _promises(entry: CatalogEntry, sha256: str) -> bool:
    parts = entry.manifest.parts if entry.manifest is not None else ()
    return any(part.sha256 == sha256 for part in parts)


async def _is_as_promised(files: RemoteFiles, entry: CatalogEntry) -> bool:
    part = _queue_part(entry.manifest) if entry.manifest is not None else None
    try:
        return part is not None and (await files.stat(entry.path)).sha256 == part.sha256
    except FileNotFoundError:
        return False


def entry_for(
    local: LocalArchive,
    folder: str,
    entries: Sequence[CatalogEntry],
    name: str,
    now: float,
    damaged: Collection[str] = (),
) -> CatalogEntry:
    """What it is going to be in that catalog: itself under its id, or what is there already.

    Beside one that is `damaged` it gets an id of its own: nothing there is ever overwritten.
    """
    archive, manifest = local.archive, local.manifest
    for entry in entries:
        if entry.id not in damaged and _promises(entry, archive.sha256):
            return entry
    if manifest is not None and id_of(local.path.name) in damaged:
        manifest = None
    if manifest is not None:
        file = local.path.name
    else:
        taken = {posixpath.basename(entry.path) for entry in entries}
        suffix = local.path.name.removeprefix(id_of(local.path.name))
        file = new_id(archive.dumped_at or now, name, taken) + suffix
    path = posixpath.join(folder, file)
    return CatalogEntry(id_of(file), path, archive.size, archive.dumped_at or now, manifest)


async def bring_in(
    files: RemoteFiles,
    local: LocalArchive,
    entry: CatalogEntry,
    adoption: Adoption,
    tell: Callable[[str], None],
) -> CatalogEntry:
    """Upload it to `entry.path` with a manifest; returns the entry as the catalog has it.

    Raises FluxstateError; a file that has its name already is never touched.
    """
    archive, folder = local.archive, posixpath.dirname(entry.path)
    name = posixpath.basename(entry.path)
    manifest = entry.manifest or manifest_for(archive, name, f"brought from {local.path}", adoption)
    if entry.manifest is not None and entry.manifest != local.manifest:
        return entry  # it is there under another id
    await files.mkdir(folder)
    if name not in {item.name for item in await files.list(folder)}:
        await require_room(files, folder, archive.size)
        wanted = RemoteStat(archive.size, archive.sha256, 0.0)
        source = LocalFolder().read(str(local.path))
        await upload(
            files, entry.path, wanted, source, lambda done: tell(f"{done:,} of {archive.size:,}")
        )
    found = await files.stat(entry.path)
    if found.sha256 != archive.sha256:
        raise FluxstateError(
            f"{entry.path} is another archive",
            safe="It was not touched.",
            advice="Rename the local archive and its manifest, or remove the manifest.",
            exit_code=ExitCode.REFUSED,
        )
    beside = posixpath.join(folder, manifest_name(entry.id))
    if manifest_name(entry.id) not in {item.name for item in await files.list(folder)}:
        await files.write_new(beside, to_bytes(manifest))
    return await read_back(files, folder, manifest)
