"""The catalogue: archives that are never overwritten, each with a manifest.

Pure rules over names and bytes: where they come from and where they go to is others' business.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from fluxstate_tui.archive.manifest import CatalogueEntry, Manifest, ManifestError, from_bytes

FOLDER = "fluxstate"
SUFFIX = ".tar.gz"
MANIFEST_SUFFIX = ".json"

# The suffixes that flux-dump knows (libarchive 3.6; facts/flux.md, c).
ARCHIVE_SUFFIXES = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip", ".cpio", ".iso")
_VERIFIED = ("L1", "L2", "L3")
_NOT_A_NAME = re.compile(r"[^a-z0-9.-]+")


def folder_of(archive_path: str) -> str:
    """The catalogue's folder beside `spec.archive.path`."""
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
    manifests: Mapping[str, bytes],
) -> tuple[CatalogueEntry, ...]:
    """The catalogue of a folder, newest first.

    `files` are (name, size in bytes, modification time in seconds since the epoch) of everything
    in it; `manifests` maps names of manifests to their bytes. Hidden files (unfinished copies) and
    other suffixes are skipped. An archive without a manifest was made by others. Where manifest
    and archive do not fit together, the entry says so in `problem`.
    """
    archives = {id_of(name): (name, size, mtime) for name, size, mtime in files if id_of(name)}
    found = []
    for identity, (name, size, mtime) in archives.items():
        manifest, problem = _read(manifests.get(manifest_name(identity)))
        if manifest is not None:
            problem = _mismatch(manifest, identity, name, size)
        path = posixpath.join(folder, name)
        found.append(CatalogueEntry(identity, path, size, mtime, manifest, problem))
    for name, data in manifests.items():
        identity = name.removesuffix(MANIFEST_SUFFIX)
        if identity not in archives and id_of(archive_name(identity)):
            found.append(_orphan(folder, identity, data))
    return tuple(sorted(found, key=lambda entry: (_time(entry), entry.id), reverse=True))


def says_verified(entry: CatalogueEntry) -> bool:
    """Its manifest says that it was read back when it was saved (L1 or more): a claim."""
    return entry.manifest is not None and entry.manifest.verified in _VERIFIED


def _time(entry: CatalogueEntry) -> float:
    return entry.manifest.created if entry.manifest is not None else entry.modified


def _read(data: bytes | None) -> tuple[Manifest | None, str]:
    if data is None:
        return None, ""
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


def _orphan(folder: str, identity: str, data: bytes) -> CatalogueEntry:
    manifest, problem = _read(data)
    path = posixpath.join(folder, archive_name(identity))
    modified = manifest.created if manifest is not None else 0.0
    text = problem or "its archive is not there, only the manifest"
    return CatalogueEntry(identity, path, 0, modified, manifest, text)
