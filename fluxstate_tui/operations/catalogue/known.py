"""Reads what decides something about archives out of the archives themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from fluxstate_tui.archive.contents import Contents, Known, Missing, contents_of
from fluxstate_tui.archive.manifest import CatalogueEntry
from fluxstate_tui.archive.ownership import Identity, identity_of, ownership
from fluxstate_tui.archive.verify import Verdict
from fluxstate_tui.flux.files import RemoteFileDamaged, RemoteFileMissing
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.catalogue import records
from fluxstate_tui.operations.catalogue.care import NotSoundError, queue_part, verify_archive
from fluxstate_tui.operations.catalogue.folder_files import FolderFiles
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.world.observation import counted

# Of archives that this computer has no record of: what one decision reads at most.
MOST_READ = 64
MOST_READ_BYTES = 4 * 1024**3

NOT_READ = "it was not read"


def identity(context: OperationContext, ref: ClusterRef, raw: dict[str, object]) -> Identity:
    """A MiniCluster with its lineage, as far as this computer knows it."""
    server = context.cluster.server
    found = identity_of(ref, raw, server=server)
    ancestors = records.predecessors(context.state_dir, found.uid)
    return replace(found, predecessors=ancestors)


async def read_known(
    files: FolderFiles, entries: Sequence[CatalogueEntry], state_dir: Path, limit: int = MOST_READ
) -> tuple[Known, ...]:
    """Each with its contents: from the record of its checksum, else read out and recorded.

    At most `limit` are read out; what was not read says why. Raises FluxstateError when the place
    cannot be reached.
    """
    budget = [limit, MOST_READ_BYTES]
    return tuple([await _known(files, entry, state_dir, budget) for entry in entries])


async def _known(
    files: FolderFiles, entry: CatalogueEntry, state_dir: Path, budget: list[int]
) -> Known:
    if entry.problem:
        return Known(entry, None, entry.problem)
    try:
        contents = await recorded(files, entry, state_dir)
        if contents is not None:
            return Known(entry, contents)
        if budget[0] < 1 or budget[1] < entry.size:
            return Known(entry, None, NOT_READ)
        budget[0] -= 1
        budget[1] -= entry.size
        verdict = await verify_archive(files, entry, state_dir, lambda done: None)
    except (RemoteFileMissing, RemoteFileDamaged, NotSoundError) as error:
        return Known(entry, None, error.message)
    if not verdict.kind.good:
        return Known(entry, None, verdict.sentence())
    return Known(entry, await remember_verdict(state_dir, verdict))


async def recorded(files: FolderFiles, entry: CatalogueEntry, state_dir: Path) -> Contents | None:
    """What this computer recorded of it, if the file still has that checksum: it is read anew.

    Raises FluxstateError.
    """
    part = queue_part(entry)
    if part is None or records.recall(state_dir, part.sha256) is None:
        return None
    found = await files.stat(entry.path)
    return await asyncio.to_thread(records.recall, state_dir, found.sha256)


def recalled(entries: Iterable[CatalogueEntry], state_dir: Path) -> tuple[Known, ...]:
    """What is recorded under the checksums that the manifests say: a hint, no file is looked at."""
    found = []
    for entry in entries:
        part = None if entry.problem else queue_part(entry)
        contents = records.recall(state_dir, part.sha256) if part is not None else None
        found.append(Known(entry, contents, entry.problem or NOT_READ))
    return tuple(found)


async def recorded_facts(
    files: FolderFiles, entries: Iterable[CatalogueEntry], state_dir: Path
) -> dict[str, Contents]:
    """What this computer verified of those that are still the same, by path; reads none out."""
    found = {}
    for entry in entries:
        try:
            contents = None if entry.problem else await recorded(files, entry, state_dir)
        except (RemoteFileMissing, RemoteFileDamaged):
            continue
        if contents is not None:
            found[entry.path] = contents
    return found


async def remember_verdict(state_dir: Path, verdict: Verdict) -> Contents:
    """Record what a sound archive holds, and how far it was verified."""
    contents = contents_of(verdict.archive, verdict.level)
    await asyncio.to_thread(records.remember, state_dir, contents)
    return records.recall(state_dir, contents.sha256) or contents


def maybe_ours(
    entries: Iterable[CatalogueEntry], me: Identity, state_dir: Path
) -> list[CatalogueEntry]:
    """Those that say so, and those that this computer saved, whatever they say."""
    return [one for one in entries if ownership(one, me).is_ours or _was_saved_here(one, state_dir)]


def _was_saved_here(entry: CatalogueEntry, state_dir: Path) -> bool:
    part = queue_part(entry)
    found = records.recall(state_dir, part.sha256) if part is not None else None
    return found is not None and found.saved_by is not None


def ours(found: Iterable[Known], me: Identity) -> tuple[Known, ...]:
    """Those of the MiniCluster or its predecessors, by what is recorded, else by what is said."""
    return tuple(one for one in found if _is_ours(one, me))


def _is_ours(known: Known, me: Identity) -> bool:
    recorded_owner = known.contents.saved_by if known.contents is not None else None
    return ownership(known.entry, me, recorded_owner).is_ours


def owner_words(known: Known) -> str:
    """Whose it is and how that is known: `of default/a (saved from here)`."""
    owner = known.owner
    if owner is None:
        return "of nobody knows whom"
    how = "saved from this computer" if owner.recorded else "so its manifest says"
    uid = f", uid {owner.uid[:8]}" if owner.uid else ""
    return f"of {owner}{uid} ({how})"


def missing_lines(missing: Iterable[Missing], than: str, most: int = 3) -> tuple[str, ...]:
    """What other archives hold that this one does not, one line for each; the first few."""
    found = list(missing)
    lines = [
        f"{one.known.entry.id} holds {counted(one.jobs, 'job')} that {than} does not."
        for one in found[:most]
    ]
    if len(found) > most:
        rest = sum(one.jobs for one in found[most:])
        others = counted(len(found) - most, "other archive")
        lines.append(f"{others} of it hold {counted(rest, 'job')} more.")
    return tuple(lines)


def unread_line(found: Iterable[Known]) -> tuple[str, ...]:
    """That some were not read, or cannot be, and so decided nothing."""
    unread = [one for one in found if one.contents is None]
    if not unread:
        return ()
    first = f"{unread[0].entry.id}: {unread[0].why}".rstrip(".")
    return (f"{counted(len(unread), 'archive')} decided nothing here ({first}).",)
