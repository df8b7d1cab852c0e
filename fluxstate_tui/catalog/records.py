"""What this computer knows of archives: by checksum, in the user's state directory.

`archives/<sha256>.json` says what was read of one, and whether it was saved from here;
`lineage/<uid>.json` from which archive a MiniCluster was restored from here. Without a record
an archive is read again: it costs time, nothing else. Only regular files of this user that
nobody else can write are believed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import msgspec

from fluxstate_tui.archive.manifest import CatalogEntry
from fluxstate_tui.archive.reader import Archive
from fluxstate_tui.archive.verify import Verdict
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.files import RemoteFileDamaged, RemoteFileMissing
from fluxstate_tui.catalog.contents import Contents, Known, Missing, contents_of
from fluxstate_tui.catalog.folder import FolderFiles
from fluxstate_tui.catalog.maintenance import NotSoundError, queue_part, verify_archive
from fluxstate_tui.catalog.ownership import Identity, Owner, Ownership, identity_of, ownership
from fluxstate_tui.formatting import plural
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.private_files import private_folder, temporary_file

ARCHIVES, LINEAGE = "archives", "lineage"
MOST_RECORDS = 2000
MOST_BYTES = 64 * 1024 * 1024  # about a million jobs
MOST_ANCESTORS = 64

_SHA256 = re.compile(r"[0-9a-f]{64}")
_UID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,99}")

T = TypeVar("T")


class ArchiveRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One archive. `jobs` are ids with submit times (seconds since the epoch, as are the others).

    `count`, `first` and `last` say of `jobs` what people ask first. `server` to `archive_path`
    are '' unless it was `saved` from here.
    """

    sha256: str
    size: int
    made: float
    level: str
    count: int
    first: float
    last: float
    jobs: list[tuple[int, float]]
    active: list[tuple[int, float]]
    saved: bool = False
    server: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    archive_path: str = ""
    parent: str = ""
    born: float = 0.0


class LineageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A MiniCluster that was restored from here: from which archive, of whom, and when."""

    uid: str
    sha256: str
    from_uid: str
    at: float


def remember(state_dir: Path, contents: Contents) -> None:
    """Keep it. One that was saved from here stays so; a disk that refuses costs time only."""
    before = recall(state_dir, contents.sha256)
    owner = contents.saved_by
    if before is not None:
        if owner is None and before.saved_by is not None and before.level >= contents.level:
            return
        owner = owner or before.saved_by
    first, last = contents.span
    record = ArchiveRecord(
        sha256=contents.sha256,
        size=contents.size,
        made=before.made if before is not None and before.saved_by else contents.made,
        level=max(contents.level, before.level if before is not None else ""),
        count=len(contents.jobs),
        first=first,
        last=last,
        jobs=sorted(contents.jobs),
        active=sorted(contents.active),
        saved=owner is not None,
        server=owner.server if owner else "",
        namespace=owner.namespace if owner else "",
        name=owner.name if owner else "",
        uid=owner.uid if owner else "",
        archive_path=owner.archive_path if owner else "",
        parent=contents.parent or (before.parent if before else ""),
        born=contents.born or (before.born if before else 0.0),
    )
    _write(state_dir / ARCHIVES, contents.sha256, msgspec.json.encode(record))


def recall(state_dir: Path, sha256: str) -> Contents | None:
    """What was read of the archive with that checksum, None when it never was."""
    if not _SHA256.fullmatch(sha256):
        return None
    found = _read(state_dir / ARCHIVES / f"{sha256}.json", ArchiveRecord)
    if found is None or found.sha256 != sha256:
        return None
    owner = Owner(
        found.namespace, found.name, found.uid, found.archive_path, found.server, recorded=True
    )
    return Contents(
        sha256=sha256,
        size=found.size,
        made=found.made,
        level=found.level,
        jobs=frozenset(found.jobs),
        active=frozenset(found.active),
        saved_by=owner if found.saved else None,
        parent=found.parent,
        born=found.born,
    )


def remember_restored(state_dir: Path, uid: str, sha256: str, from_uid: str, at: float) -> None:
    """A MiniCluster (uid) was created here from that archive, which was saved from `from_uid`."""
    if _UID.fullmatch(uid):
        record = LineageRecord(uid=uid, sha256=sha256, from_uid=from_uid, at=at)
        _write(state_dir / LINEAGE, uid, msgspec.json.encode(record))


def restored(state_dir: Path, uid: str) -> LineageRecord | None:
    """From what the MiniCluster of that uid was restored here, None if it was not."""
    if not _UID.fullmatch(uid):
        return None
    found = _read(state_dir / LINEAGE / f"{uid}.json", LineageRecord)
    return found if found is not None and found.uid == uid else None


def predecessors(state_dir: Path, uid: str) -> frozenset[str]:
    """Uids of the MiniClusters whose queue this one has, as far as it went from here."""
    found: set[str] = set()
    while uid and len(found) < MOST_ANCESTORS:
        record = restored(state_dir, uid)
        uid = record.from_uid if record is not None else ""
        if not uid or uid in found:
            break
        found.add(uid)
    return frozenset(found)


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        ours = state.st_uid == os.geteuid() and not state.st_mode & 0o022
        if not stat.S_ISREG(state.st_mode) or not ours or state.st_size > MOST_BYTES:
            return None
        try:
            return msgspec.json.decode(file.read(), type=kind)
        except (OSError, ValueError, RecursionError):
            return None


def _write(folder: Path, name: str, data: bytes) -> None:
    """Whole or not at all, for this user alone."""
    if len(data) > MOST_BYTES:
        return
    with contextlib.suppress(OSError):
        private_folder(folder.parent, folder.name)
        with temporary_file(folder) as (part, file):
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            part.replace(folder / f"{name}.json")
        _forget_oldest(folder)


def _forget_oldest(folder: Path) -> None:
    found = list(folder.glob("*.json"))
    if len(found) > MOST_RECORDS:
        found.sort(key=lambda path: path.stat().st_mtime)
        for path in found[: len(found) - MOST_RECORDS]:
            path.unlink(missing_ok=True)


# Reads what decides something about archives out of the archives themselves.

# Of archives that this computer has no record of: what one decision reads at most.
MOST_READ = 64
MOST_READ_BYTES = 4 * 1024**3

NOT_READ = "it was not read"
_INDEX = re.compile(r"-\d+\Z")


def identity(context: OperationContext, ref: ClusterRef, raw: dict[str, object]) -> Identity:
    """A MiniCluster with its lineage, as far as this computer knows it."""
    server = context.cluster.server
    found = identity_of(ref, raw, server=server)
    ancestors = predecessors(context.state_dir, found.uid)
    return replace(found, predecessors=ancestors)


async def read_known(
    files: FolderFiles, entries: Sequence[CatalogEntry], state_dir: Path, limit: int = MOST_READ
) -> tuple[Known, ...]:
    """Each with its contents: from the record of its checksum, else read out and recorded.

    At most `limit` are read out; what was not read says why. Raises FluxstateError when the place
    cannot be reached.
    """
    budget = [limit, MOST_READ_BYTES]
    return tuple([await _known(files, entry, state_dir, budget) for entry in entries])


async def _known(
    files: FolderFiles, entry: CatalogEntry, state_dir: Path, budget: list[int]
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


async def recorded(files: FolderFiles, entry: CatalogEntry, state_dir: Path) -> Contents | None:
    """What this computer recorded of it, if the file still has that checksum: it is read anew.

    Raises FluxstateError.
    """
    part = queue_part(entry)
    if part is None or recall(state_dir, part.sha256) is None:
        return None
    found = await files.stat(entry.path)
    return await asyncio.to_thread(recall, state_dir, found.sha256)


def recalled(entries: Iterable[CatalogEntry], state_dir: Path) -> tuple[Known, ...]:
    """What is recorded under the checksums that the manifests say: a hint, no file is looked at."""
    found = []
    for entry in entries:
        part = None if entry.problem else queue_part(entry)
        contents = recall(state_dir, part.sha256) if part is not None else None
        found.append(Known(entry, contents, entry.problem or NOT_READ))
    return tuple(found)


async def recorded_facts(
    files: FolderFiles, entries: Iterable[CatalogEntry], state_dir: Path
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
    await asyncio.to_thread(remember, state_dir, contents)
    return recall(state_dir, contents.sha256) or contents


def maybe_ours(
    entries: Iterable[CatalogEntry], me: Identity, state_dir: Path
) -> list[CatalogEntry]:
    """Those that say so, and those that this computer saved, whatever they say."""
    return [one for one in entries if ownership(one, me).is_ours or _was_saved_here(one, state_dir)]


def _was_saved_here(entry: CatalogEntry, state_dir: Path) -> bool:
    part = queue_part(entry)
    found = recall(state_dir, part.sha256) if part is not None else None
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
    signed = known.entry.signature.vouched
    says = "so its signed manifest says" if signed else "so its manifest says"
    how = "saved from this computer" if owner.recorded else says
    uid = f", uid {owner.uid[:8]}" if owner.uid else ""
    return f"of {owner}{uid} ({how})"


def foreign_words(entry: CatalogEntry, archive: Archive, me: Identity, state_dir: Path) -> str:
    """Whose an archive is that is not known to be of `me`, '' if nothing speaks against it.

    What neither this computer nor a manifest says, the names of its nodes may: the operator names
    them after the MiniCluster.
    """
    known = Known(entry, recall(state_dir, archive.sha256))
    owner = known.owner
    if owner is not None:
        found = ownership(entry, me, owner if owner.recorded else None)
        return owner_words(known) if found is Ownership.OTHER else ""
    shares = archive.resources.shares() if archive.resources is not None else ()
    hosts = [share.host for share in shares]
    if not hosts or any(_INDEX.sub("", host) == me.name for host in hosts):
        return ""
    return f"of a MiniCluster with the nodes {', '.join(hosts[:3])}{' ...' if hosts[3:] else ''}"


def missing_lines(missing: Iterable[Missing], than: str, most: int = 3) -> tuple[str, ...]:
    """What other archives hold that this one does not, one line for each; the first few."""
    found = list(missing)
    lines = [
        f"{one.known.entry.id} holds {plural(one.jobs, 'job')} that {than} does not."
        for one in found[:most]
    ]
    if len(found) > most:
        rest = sum(one.jobs for one in found[most:])
        others = plural(len(found) - most, "other archive")
        lines.append(f"{others} of it hold {plural(rest, 'job')} more.")
    return tuple(lines)


def unread_line(found: Iterable[Known]) -> tuple[str, ...]:
    """That some were not read, or cannot be, and so decided nothing."""
    unread = [one for one in found if one.contents is None]
    if not unread:
        return ()
    first = f"{unread[0].entry.id}: {unread[0].why}".rstrip(".")
    return (f"{plural(len(unread), 'archive')} decided nothing here ({first}).",)
