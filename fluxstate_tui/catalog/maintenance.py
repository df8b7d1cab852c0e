"""Care for the archives of a catalog: verify, fetch, remove. The files may lie anywhere.

A good archive only goes when others of its MiniCluster that stay were just read back and have every
job of it, or when somebody typed that it shall go all the same.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from fluxstate_tui.archive.manifest import CatalogEntry, Part, manifest_name
from fluxstate_tui.archive.verify import Verdict, verify
from fluxstate_tui.catalog.contents import Known
from fluxstate_tui.catalog.folder import FolderFiles, new_file
from fluxstate_tui.catalog.ownership import Owner
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.private_files import temporary_file

Tell = Callable[[int], None]


class NotSoundError(FluxstateError):
    """An archive that cannot be relied on."""

    exit_code = ExitCode.VERIFICATION


def choose(entries: Sequence[CatalogEntry], ids: Sequence[str]) -> tuple[CatalogEntry, ...]:
    """The entries of these ids (or file names), each once. Raises FluxstateError (exit 4)."""
    known = {posixpath.basename(entry.path): entry for entry in entries}
    known |= {entry.id: entry for entry in entries}
    for one in ids:
        if one not in known:
            raise FluxstateError(
                f"there is no archive {one!r} in the catalog",
                safe="Nothing was done.",
                advice="List them: fluxstate-tui archives list",
                exit_code=ExitCode.NOT_FOUND,
            )
    return tuple({known[one].id: known[one] for one in ids}.values())


async def verify_archive(
    files: FolderFiles, entry: CatalogEntry, scratch: Path, tell: Tell, flux: str | None = None
) -> Verdict:
    """Read it out and check it as far as possible: L1 by its manifest, L2, with `flux` also L3.

    The copy lies in the folder `scratch` until it was checked. Raises FluxstateError when it
    cannot be read out.
    """
    await asyncio.to_thread(scratch.mkdir, 0o700, True, True)
    suffix = posixpath.basename(entry.path).removeprefix(entry.id)
    with temporary_file(scratch, suffix) as (path, copy):
        await _read_out(files, entry.path, copy, tell)
        return await _checked(path, entry, flux)


async def fetch_archive(
    files: FolderFiles, entry: CatalogEntry, folder: Path, tell: Tell, *, damaged: bool = False
) -> Verdict:
    """Copy it, and its manifest, into a folder of this computer; nothing is ever overwritten.

    The copy is verified before it gets its name. One that is not sound gets none, unless
    `damaged` says that it is wanted all the same. Raises FluxstateError, OSError.
    """
    name = posixpath.basename(entry.path)
    beside = folder / manifest_name(entry.id)
    if entry.manifest is not None and beside.exists():
        raise FileExistsError(f"{beside} exists")
    with new_file(folder / name) as copy:
        await _read_out(files, entry.path, copy, tell)
        verdict = await _checked(Path(copy.name), entry, None)
        if not verdict.kind.good and not damaged:
            raise NotSoundError(
                f"{entry.id}: {verdict.sentence()}",
                safe="It stays where it is, untouched; nothing was written here.",
                advice="Choose another one, or say --damaged to get it as it is.",
            )
    if entry.manifest is not None:
        with new_file(beside) as target:
            source = posixpath.join(posixpath.dirname(entry.path), manifest_name(entry.id))
            await _read_out(files, source, target, lambda done: None)
    return verdict


def left_without_backup(known: Sequence[Known], gone: Sequence[CatalogEntry]) -> tuple[str, ...]:
    """Names of the MiniClusters that would lose jobs for good, were these `gone`.

    `known` are all archives of the catalog as they were just read. A MiniCluster loses them when
    none that was read stays, or none of those that stay has each of the jobs.
    """
    ids = {entry.id for entry in gone}
    staying = [one for one in known if one.entry.id not in ids]
    unsaved: list[str] = []
    for one in known:
        owner = one.owner
        if one.entry.id not in ids or owner is None:
            continue
        mine = one.contents.jobs if one.contents is not None else frozenset()
        others = [
            other.contents.jobs
            for other in staying
            if other.contents is not None and is_of(other, owner)
        ]
        if not others or not mine <= frozenset().union(*others):
            unsaved.append(owner.name)
    return tuple(dict.fromkeys(unsaved))


def is_of(known: Known, owner: Owner) -> bool:
    """Whether it is of the MiniCluster of that name, as far as that is recorded or said."""
    mine = known.owner
    return mine is not None and (mine.namespace, mine.name) == (owner.namespace, owner.name)


async def remove_archive(files: FolderFiles, entry: CatalogEntry) -> None:
    """Remove it, in the reverse order of its making: first the manifest, then the archive.

    Cut off in between it leaves an archive without a manifest, which can be adopted.
    """
    folder = posixpath.dirname(entry.path)
    await files.remove(posixpath.join(folder, manifest_name(entry.id)))
    await files.remove(entry.path)


def queue_part(entry: CatalogEntry) -> Part | None:
    """What its manifest says about the file."""
    parts = entry.manifest.parts if entry.manifest is not None else ()
    return next((part for part in parts if part.kind == "queue"), None)


async def _read_out(files: FolderFiles, path: str, target: IO[bytes], tell: Tell) -> None:
    done = 0
    async for chunk in files.read(path):
        await asyncio.to_thread(target.write, chunk)
        done += len(chunk)
        tell(done)
    target.flush()


async def _checked(path: Path, entry: CatalogEntry, flux: str | None) -> Verdict:
    expected = queue_part(entry)
    return await asyncio.to_thread(lambda: verify(path, flux=flux, expected=expected))
