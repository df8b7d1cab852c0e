"""What this computer knows of archives: by checksum, in the user's state directory.

`archives/<sha256>.json` says what was read of one, and whether it was saved from here;
`lineage/<uid>.json` from which archive a MiniCluster was restored from here. Without a record
an archive is read again: it costs time, nothing else. Only regular files of this user that
nobody else can write are believed.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from pathlib import Path
from typing import TypeVar

import msgspec

from fluxstate_tui.archive.contents import Contents
from fluxstate_tui.archive.ownership import Owner

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
        sha256,
        found.size,
        found.made,
        found.level,
        frozenset(found.jobs),
        frozenset(found.active),
        owner if found.saved else None,
        found.parent,
        found.born,
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
    part = folder / f".part-{secrets.token_hex(8)}"
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        part.replace(folder / f"{name}.json")
        _forget_oldest(folder)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _forget_oldest(folder: Path) -> None:
    found = list(folder.glob("*.json"))
    if len(found) > MOST_RECORDS:
        found.sort(key=lambda path: path.stat().st_mtime)
        for path in found[: len(found) - MOST_RECORDS]:
            path.unlink(missing_ok=True)
