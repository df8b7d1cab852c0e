"""The catalogue: the folder of archives beside `spec.archive.path`, as pure rules over its files.

Names say everything, so that it is usable by hand: `<id>.tar.gz` is an archive and `<id>.json` its
manifest. Files that others left (`flux dump` by hand) are found too, without a manifest.
"""

from __future__ import annotations

import posixpath
import re
import time
from collections.abc import Collection, Iterable, Mapping

from fluxstate_tui.archive.manifest import CatalogueEntry, Manifest, from_bytes

FOLDER = "fluxstate"
SUFFIX = ".tar.gz"
MANIFEST_SUFFIX = ".json"
TEMPORARY = ".part-"

# What flux-dump can write and flux-restore read (facts/flux.md c); the longest suffixes first.
_SUFFIXES = (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tar", ".zip", ".cpio")
_UNFIT = re.compile(r"[^a-zA-Z0-9._-]+")


def folder_of(archive_path: str) -> str:
    """The catalogue that belongs to a `spec.archive.path`."""
    return posixpath.join(posixpath.dirname(archive_path), FOLDER)


def archive_name(identity: str) -> str:
    """The file name of an archive that we save."""
    return identity + SUFFIX


def manifest_name(identity: str) -> str:
    """The file name of an archive's manifest."""
    return identity + MANIFEST_SUFFIX


def new_id(now: float, minicluster: str, taken: Collection[str]) -> str:
    """`20261121-224500-flux-sample` (UTC), with -2, -3 ... when a file of that id is taken.

    `now` is in seconds since the epoch, `taken` are the names of all files in the folder.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    base = f"{stamp}-{_UNFIT.sub('-', minicluster)}"
    known = {id_of(name) or name.removesuffix(MANIFEST_SUFFIX) for name in taken}
    identity, number = base, 1
    while identity in known:
        number += 1
        identity = f"{base}-{number}"
    return identity


def id_of(name: str) -> str | None:
    """The id of an archive's file name; None for a file that is no archive."""
    if name.startswith("."):
        return None
    for suffix in _SUFFIXES:
        if name.endswith(suffix) and name != suffix:
            return name.removesuffix(suffix)
    return None


def build(
    folder: str, files: Iterable[tuple[str, int, float]], manifests: Mapping[str, bytes]
) -> tuple[CatalogueEntry, ...]:
    """The catalogue from a listing (name, size, mtime) and the manifests by name; newest first.

    Nothing is hidden: a manifest that cannot be believed, an archive of another size, and a
    manifest whose archive is gone are entries with a `problem`.
    """
    entries: list[CatalogueEntry] = []
    seen: set[str] = set()
    for name, size, modified in files:
        identity = id_of(name)
        if identity is None:
            continue
        data = manifests.get(manifest_name(identity))
        manifest, problem = _judged(data, name, size)
        path = posixpath.join(folder, name)
        entries.append(CatalogueEntry(identity, path, size, modified, manifest, problem))
        seen.add(manifest_name(identity))
    for name, data in manifests.items():
        if name not in seen:
            manifest, problem = _judged(data, "", 0)
            identity = name.removesuffix(MANIFEST_SUFFIX)
            path = posixpath.join(folder, archive_name(identity))
            created = manifest.created if manifest else 0.0
            problem = problem if manifest is None else "its archive is missing"
            entries.append(CatalogueEntry(identity, path, 0, created, manifest, problem))
    return tuple(sorted(entries, key=_age, reverse=True))


def _judged(data: bytes | None, name: str, size: int) -> tuple[Manifest | None, str]:
    if data is None:
        return None, ""
    try:
        manifest = from_bytes(data)
    except ValueError as error:
        return None, f"its manifest cannot be believed: {error}"
    part = next((part for part in manifest.parts if part.file == name), None)
    if name and part is None:
        return manifest, "its manifest is about another file"
    if part is not None and part.size != size:
        return manifest, f"it has {size:,} bytes, its manifest says {part.size:,}"
    return manifest, ""


def _age(entry: CatalogueEntry) -> tuple[float, str]:
    created = entry.manifest.created if entry.manifest else entry.modified
    return created, entry.id
