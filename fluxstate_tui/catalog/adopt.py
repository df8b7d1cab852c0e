"""Archives that others made with plain `flux dump` enter the catalog, with a manifest."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fluxstate_tui.archive.manifest import (
    ARCHIVE_SUFFIXES,
    CatalogEntry,
    Manifest,
    Part,
    id_of,
    manifest_name,
    new_id,
    notes,
    to_bytes,
)
from fluxstate_tui.archive.reader import Archive
from fluxstate_tui.archive.signature import SigningKey, signed
from fluxstate_tui.catalog.catalog import read_catalog
from fluxstate_tui.catalog.folder import FolderFiles
from fluxstate_tui.catalog.maintenance import NotSoundError, Tell, verify_archive
from fluxstate_tui.errors import ExitCode, FluxstateError


@dataclass(frozen=True, slots=True)
class Adoption:
    """Whose archive it is, as far as that is known, and who says so.

    `raw` is the object to create at a restore, empty if it is not known; `key` signs the manifest.
    """

    minicluster: str
    namespace: str
    who: str
    now: float
    raw: Mapping[str, Any] = field(default_factory=dict)
    key: SigningKey | None = None


async def adopt_archive(
    files: FolderFiles, folder: str, path: str, adoption: Adoption, scratch: Path, tell: Tell
) -> tuple[CatalogEntry, Archive]:
    """Verify it by reading it out, copy it into `folder` if it lies elsewhere, write a manifest.

    The manifest has no uid and is not idle, for nobody knows: a delete never relies on it.
    Raises FluxstateError: exit 6 when it is not sound, 5 when it has a manifest already.
    """
    suffix = _suffix(path)
    found = await files.stat(path)
    source = CatalogEntry(posixpath.basename(path), path, found.size, found.mtime, None)
    verdict = await verify_archive(files, source, scratch, tell)
    archive = verdict.archive
    if not verdict.kind.good or archive.sha256 != found.sha256:
        raise NotSoundError(
            f"{path}: {verdict.sentence()}",
            safe="It stays where it is, untouched.",
            advice="An archive that is not sound is not entered into the catalog.",
        )
    entries = await read_catalog(files, folder)
    inside = posixpath.dirname(path) == folder
    if inside:
        _refuse_known(path, entries)
        name = posixpath.basename(path)
    else:
        _refuse_twice(archive, path, entries)
        await files.mkdir(folder)
        taken = {item.name for item in await files.list(folder)}
        when = archive.dumped_at or adoption.now
        name = new_id(when, adoption.minicluster, taken) + suffix
        await _copy(files, path, posixpath.join(folder, name), archive)
    manifest = manifest_for(archive, name, f"adopted from {path}", adoption)
    target = posixpath.join(folder, manifest_name(id_of(name)))
    await files.write_new(target, to_bytes(manifest))
    return await read_back(files, folder, manifest), archive


async def _copy(files: FolderFiles, path: str, target: str, archive: Archive) -> None:
    """What lies there afterwards is what was verified, or there is nothing."""
    copied = await files.copy(path, target)
    if copied.sha256 != archive.sha256:
        await files.remove(target)
        raise NotSoundError(
            f"the copy of {path} has another checksum than what was verified",
            safe="It was removed again; the file itself was not touched.",
            advice="Somebody may be writing to it; try again.",
        )


def _suffix(path: str) -> str:
    for suffix in sorted(ARCHIVE_SUFFIXES, key=len, reverse=True):
        if path.endswith(suffix):
            return suffix
    raise FluxstateError(
        f"{path} is no archive by its name",
        safe="Nothing was done.",
        advice=f"flux-dump writes {' '.join(ARCHIVE_SUFFIXES)}.",
        exit_code=ExitCode.USAGE,
    )


def _refuse_known(path: str, entries: tuple[CatalogEntry, ...]) -> None:
    known = next((entry for entry in entries if entry.path == path), None)
    if known is not None and (known.manifest is not None or known.problem):
        raise FluxstateError(
            f"{path} has a manifest already" + (f": {known.problem}" if known.problem else ""),
            safe="Nothing was done.",
            exit_code=ExitCode.REFUSED,
        )


def _refuse_twice(archive: Archive, path: str, entries: tuple[CatalogEntry, ...]) -> None:
    for entry in entries:
        parts = entry.manifest.parts if entry.manifest is not None else ()
        if any(part.sha256 == archive.sha256 for part in parts):
            raise FluxstateError(
                f"{path} is in the catalog already, as {entry.id}",
                safe="Nothing was done.",
                exit_code=ExitCode.REFUSED,
            )


def manifest_for(archive: Archive, name: str, came_from: str, adoption: Adoption) -> Manifest:
    """What can be said of an archive that others made; `name` is its file's in the catalog."""
    manifest = Manifest(
        id=id_of(name),
        minicluster=adoption.minicluster,
        namespace=adoption.namespace,
        uid="",
        size=len(archive.resources.ranks) if archive.resources is not None else 1,
        created=archive.dumped_at or adoption.now,
        created_by=adoption.who,
        core_version=archive.core_version,
        counts=dict(Counter(one.job.status for one in archive.jobs)),
        verified="L2",
        idle=False,
        came_from=came_from,
        parts=(Part("queue", name, archive.size, archive.sha256),),
        extra=notes(adopted=adoption.now, minicluster=adoption.raw),
    )
    return signed(manifest, adoption.key)


async def read_back(files: FolderFiles, folder: str, manifest: Manifest) -> CatalogEntry:
    """The entry with that very manifest. Raises NotSoundError when the catalog has another."""
    entries = await read_catalog(files, folder)
    entry = next((one for one in entries if one.id == manifest.id), None)
    if entry is None or entry.problem or entry.manifest != manifest:
        problem = entry.problem if entry is not None else "it is not listed"
        raise NotSoundError(
            f"{manifest.id} does not read back from the catalog: {problem}",
            safe="The archive itself was not changed.",
        )
    return entry
