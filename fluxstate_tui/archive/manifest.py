"""The manifest beside every archive in a catalog: what it holds and how that is known."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

# The newest form that can be read. A newer version adds fields, which are kept, without another
# number; it takes another one only when what is here would be misunderstood.
FORMAT = 1

# What is read of others' manifests: one of ours has some ten KiB.
MOST_MANIFEST_BYTES = 1 << 20
MOST_CATALOG_BYTES = 32 << 20

_LATEST = 253402300800.0  # the year 10000: later, no calendar of Python can say when it is

# What is noted beside the fields, as texts in `extra`; an object as JSON, which others may have
# written: so much of it is read, and so deep.
MOST_BYTES, MOST_DEEP = 512 * 1024, 64
_ADOPTED, _MINICLUSTER, _QUEUES_STARTED = "adopted", "minicluster", "queues_started"
_RESTORE, _PAUSED = "restore", "paused"
_SIGNATURE = "signature"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

DUMPED = "flux dump"  # how most manifests' `came_from` begins


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a saved state. Today always the queue's archive; storage will add parts."""

    kind: str
    file: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A saved state. Times are seconds since the epoch, by the clock of who wrote it.

    `counts` is jobs by status (`COMPLETED`, `SCHED`, ...). `verified` is the highest level that
    was reached when it was saved: L0 size, L1 sha256, L2 structure and counts, L3 opened by Flux.
    `idle` says that the queue was stopped and idle when it was dumped.
    """

    id: str
    minicluster: str
    namespace: str
    uid: str
    size: int
    created: float
    created_by: str
    core_version: str
    counts: dict[str, int]
    verified: str
    idle: bool
    came_from: str = ""
    parts: tuple[Part, ...] = ()
    format: int = FORMAT
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def saved_object(self) -> dict[str, Any] | None:
        """The MiniCluster as it was then, if that is noted. A claim, like the next two."""
        text = self.extra.get(_MINICLUSTER, "")
        raw = _parsed(text) if len(text) <= MOST_BYTES else None
        if not isinstance(raw, dict) or not isinstance(raw.get("spec"), dict):
            return None
        opened = text.count("{") + text.count("[")
        return raw if opened <= MOST_DEEP or _depth(raw) <= MOST_DEEP else None

    @property
    def queues_started(self) -> tuple[str, ...]:
        """The queues that scheduled then; '' is the anonymous one."""
        names = _parsed(self.extra.get(_QUEUES_STARTED, ""))
        return tuple(map(str, names)) if isinstance(names, list) else ()

    @property
    def restore_paused(self) -> bool:
        """A restore of it comes up with its queues stopped, as was asked for."""
        return self.extra.get(_RESTORE) == _PAUSED

    @property
    def signature(self) -> str | None:
        """As it is written, right or wrong."""
        return self.extra.get(_SIGNATURE)

    def with_signature(self, text: str | None) -> Manifest:
        """The same with that one and no other; None for none."""
        extra = {key: value for key, value in self.extra.items() if key != _SIGNATURE}
        return replace(self, extra=extra if text is None else {**extra, _SIGNATURE: text})

    @property
    def origin(self) -> str:
        """What its queue, or the file, came from; '' for a queue that began empty."""
        return self.came_from.removeprefix(DUMPED).removeprefix("; ")


def notes(
    *,
    minicluster: Mapping[str, Any] | None = None,
    queues_started: Iterable[str] | None = None,
    restore_paused: bool = False,
    adopted: float | None = None,
) -> dict[str, str]:
    """The `extra` of a manifest that notes this; `adopted` is when an archive of others was."""
    extra: dict[str, str] = {}
    if adopted is not None:
        extra[_ADOPTED] = str(adopted)
    if minicluster:
        extra[_MINICLUSTER] = json.dumps(_wanted(minicluster), sort_keys=True)
    if queues_started is not None:
        extra[_QUEUES_STARTED] = json.dumps(list(queues_started))
    if restore_paused:
        extra[_RESTORE] = _PAUSED
    return extra


def _wanted(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What a restore needs of it: neither its status, nor its spec a second time."""
    wanted = {key: value for key, value in raw.items() if key != "status"}
    metadata = raw.get("metadata")
    if isinstance(metadata, Mapping):
        kept = {key: value for key, value in metadata.items() if key != "managedFields"}
        annotations = kept.get("annotations")
        if isinstance(annotations, Mapping):
            kept["annotations"] = {k: v for k, v in annotations.items() if k != _LAST_APPLIED}
        wanted["metadata"] = kept
    return wanted


def _parsed(text: str) -> object:
    """What that JSON says, None when it says nothing or cannot be read."""
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


def _depth(raw: dict[str, Any]) -> int:
    deepest = 0
    rest: list[tuple[Any, int]] = [(raw, 1)]
    while rest:
        value, depth = rest.pop()
        deepest = max(deepest, depth)
        inside = value.values() if isinstance(value, dict) else value
        rest.extend((item, depth + 1) for item in inside if isinstance(item, (dict, list)))
    return deepest


class Signature(StrEnum):
    """What is known of who wrote a manifest.

    VALID: somebody who has a key of the namespace, and nobody changed it. OWN: the same, and this
    computer saved the archive. UNKNOWN_KEY: it was not, or cannot be, compared.
    """

    OWN = "own"
    VALID = "valid"
    UNSIGNED = "unsigned"
    WRONG = "wrong"
    UNKNOWN_KEY = "unknown key"

    @property
    def vouched(self) -> bool:
        """It is an operator's word."""
        return self in (Signature.OWN, Signature.VALID)


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One archive that was found. `manifest` is None for a file that others made by `flux dump`."""

    id: str
    path: str
    size: int
    modified: float
    manifest: Manifest | None
    problem: str = ""
    signature: Signature = Signature.UNSIGNED


@dataclass(frozen=True, slots=True)
class NotRead:
    """A manifest beyond the limits, of so many bytes."""

    size: int

    def __str__(self) -> str:
        if self.size > MOST_MANIFEST_BYTES:
            return (
                f"its manifest was not read: {self.size:,} of at most {MOST_MANIFEST_BYTES:,} bytes"
            )
        return f"its manifest was not read: all together are over {MOST_CATALOG_BYTES:,} bytes"


class ManifestError(ValueError):
    """The bytes are not an intact manifest."""


def to_bytes(manifest: Manifest) -> bytes:
    """The manifest as readable JSON. Its last line is a checksum of all bytes before it."""
    text = json.dumps(asdict(manifest), indent=2, ensure_ascii=False)
    head = text.encode(errors="backslashreplace")  # names of files need not be UTF-8
    head = head.removesuffix(b"\n}") + b",\n"
    return head + _checksum_line(head)


def from_bytes(data: bytes) -> Manifest:
    """Read it back. Any changed byte raises ManifestError.

    Fields that a newer version added are kept in `extra`, as JSON text if they are not text.
    """
    head, line = _split(data)
    if line != _checksum_line(head):
        raise ManifestError("the manifest's checksum does not fit: it is damaged or was edited")
    try:
        value = json.loads(data)
        del value["checksum"]
        newer = int(value.get("format", FORMAT)) > FORMAT
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ManifestError(f"the manifest cannot be read ({error})") from error
    if newer:
        raise ManifestError(
            f"its manifest has format {value['format']} of a newer fluxstate-tui; this one knows "
            f"{FORMAT}"
        )
    try:
        return _manifest(value)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ManifestError(f"the manifest cannot be read ({error})") from error


def _checksum_line(head: bytes) -> bytes:
    return b'  "checksum": "sha256:%b"\n}\n' % hashlib.sha256(head).hexdigest().encode()


def _split(data: bytes) -> tuple[bytes, bytes]:
    at = data.rfind(b'  "checksum": ')
    if at < 0:
        raise ManifestError("the manifest has no checksum: it is cut off, or no manifest")
    return data[:at], data[at:]


def _manifest(value: dict[str, Any]) -> Manifest:
    """Every field has the type that it should have: others write into shared volumes, too."""
    extra = {str(key): str(text) for key, text in value.pop("extra").items()}
    known = {field.name for field in fields(Manifest)}
    for key in [key for key in value if key not in known]:
        newer = value.pop(key)
        extra[key] = newer if isinstance(newer, str) else json.dumps(newer)
    manifest = msgspec.convert({**value, "extra": extra}, Manifest)
    if not 0 <= manifest.created < _LATEST:
        raise ValueError(f"{manifest.created} is no time")
    return manifest


# The catalog: archives that are never overwritten, each with a manifest.
#
# Pure rules over names and bytes: where they come from and where they go to is others' business.

FOLDER = "fluxstate"
SUFFIX = ".tar.gz"
MANIFEST_SUFFIX = ".json"

# The suffixes that flux-dump knows (libarchive 3.6; ARCHITECTURE.md#F5).
ARCHIVE_SUFFIXES = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip", ".cpio", ".iso")
_VERIFIED = ("L1", "L2", "L3")
_NOT_A_NAME = re.compile(r"[^a-z0-9.-]+")


def folder_of(archive_path: str) -> str:
    """The catalog's folder beside `spec.archive.path`."""
    return posixpath.join(posixpath.dirname(archive_path), FOLDER)


def archive_name(identity: str) -> str:
    """The file name of an archive that we save."""
    return identity + SUFFIX


def manifest_name(identity: str) -> str:
    """The file name of its manifest."""
    return identity + MANIFEST_SUFFIX


def new_id(now: float, minicluster: str, taken: Collection[str]) -> str:
    """`YYYYmmdd-HHMMSS-<minicluster>` (UTC), with -2, -3 ... if a file of that id is there.

    `taken` holds file names (or ids) in the folder.
    """
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    base = f"{stamp}-{_NOT_A_NAME.sub('-', minicluster.lower())}"
    used = {id_of(name) or name.removesuffix(MANIFEST_SUFFIX) for name in taken}
    identity, number = base, 1
    while identity in used:
        number += 1
        identity = f"{base}-{number}"
    return identity


def id_of(name: str) -> str:
    """The id of an archive's file name; '' if it is hidden, no archive by its suffix, or a path."""
    if "/" in name or name.startswith("."):
        return ""
    for suffix in sorted(ARCHIVE_SUFFIXES, key=len, reverse=True):
        if name.endswith(suffix) and len(name) > len(suffix):
            return name.removesuffix(suffix)
    return ""


def build(
    folder: str,
    files: Iterable[tuple[str, int, float]],
    manifests: Mapping[str, bytes | NotRead],
) -> tuple[CatalogEntry, ...]:
    """The catalog of a folder, newest first.

    `files` are (name, size in bytes, modification time in seconds since the epoch) of everything
    in it; `manifests` maps names of manifests to their bytes, as far as they were read. Hidden
    files (unfinished copies) and other suffixes are skipped. An archive without a manifest was made
    by others. Where manifest and archive do not fit together, the entry says so in `problem`.
    """
    archives = {id_of(name): (name, size, mtime) for name, size, mtime in files if id_of(name)}
    found = []
    for identity, (name, size, mtime) in archives.items():
        manifest, problem = _read(manifests.get(manifest_name(identity)))
        if manifest is not None:
            problem = _mismatch(manifest, identity, name, size)
        path = posixpath.join(folder, name)
        found.append(
            CatalogEntry(
                id=identity,
                path=path,
                size=size,
                modified=mtime,
                manifest=manifest,
                problem=problem,
                signature=_not_compared(manifest),
            )
        )
    for name, data in manifests.items():
        identity = name.removesuffix(MANIFEST_SUFFIX)
        if identity not in archives and id_of(archive_name(identity)):
            found.append(_orphan(folder, identity, data))
    return tuple(sorted(found, key=lambda entry: (_time(entry), entry.id), reverse=True))


def says_verified(entry: CatalogEntry) -> bool:
    """Its manifest says that it was read back when it was saved (L1 or more): a claim."""
    return entry.manifest is not None and entry.manifest.verified in _VERIFIED


def _time(entry: CatalogEntry) -> float:
    return entry.manifest.created if entry.manifest is not None else entry.modified


def _read(data: bytes | NotRead | None) -> tuple[Manifest | None, str]:
    if data is None or isinstance(data, NotRead):
        return None, str(data or "")
    try:
        return from_bytes(data), ""
    except ManifestError as error:
        return None, str(error)


def _mismatch(manifest: Manifest, identity: str, name: str, size: int) -> str:
    part = next((one for one in manifest.parts if one.kind == "queue"), None)
    if manifest.id != identity:
        return f"its manifest is that of {manifest.id}"
    if part is None or part.file != name:
        return "its manifest does not name this file"
    if part.size != size:
        return f"it has {size} bytes, but its manifest says {part.size}"
    return ""


def _orphan(folder: str, identity: str, data: bytes | NotRead) -> CatalogEntry:
    manifest, problem = _read(data)
    path = posixpath.join(folder, archive_name(identity))
    modified = manifest.created if manifest is not None else 0.0
    text = problem or "its archive is not there, only the manifest"
    return CatalogEntry(
        id=identity,
        path=path,
        size=0,
        modified=modified,
        manifest=manifest,
        problem=text,
        signature=_not_compared(manifest),
    )


def _not_compared(manifest: Manifest | None) -> Signature:
    has_one = manifest is not None and manifest.signature is not None
    return Signature.UNKNOWN_KEY if has_one else Signature.UNSIGNED


# The manifest that lies beside a local archive, as in a catalog.

_OURS = re.compile(r"[0-9]{8}-[0-9]{6}-", re.ASCII)


def expected_part(archive: Path) -> Part | None:
    """Size and checksum that the manifest beside it names, None without a manifest.

    Raises OSError or ManifestError (a ValueError) when there is one that cannot be read.
    """
    name = id_of(archive.name)
    beside = archive.with_name(name + MANIFEST_SUFFIX)
    if not name or not beside.is_file():
        return None
    try:
        parts = from_bytes(beside.read_bytes()).parts
    except ManifestError:
        if _OURS.match(name):
            raise
        return None  # such as what `flux jobs --json` wrote beside what `flux dump` did
    return next((part for part in parts if part.file == archive.name), None)
