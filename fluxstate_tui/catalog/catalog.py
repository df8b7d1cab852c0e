"""Reads the catalog beside a MiniCluster's `archive.path`, and tells the store about it."""

from __future__ import annotations

import builtins
import logging
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from fluxstate_tui.archive.manifest import (
    MANIFEST_SUFFIX,
    MOST_CATALOG_BYTES,
    MOST_MANIFEST_BYTES,
    CatalogEntry,
    NotRead,
    build,
)
from fluxstate_tui.broker.files import RemoteEntry

_log = logging.getLogger(__name__)


class Listing(Protocol):
    """What a catalog is read with: flux.files.RemoteFiles, or a folder of this computer."""

    async def list(self, folder: str) -> builtins.list[RemoteEntry]:
        """Its regular files. Raises FileNotFoundError."""
        ...

    async def read_small(
        self, folder: str, suffix: str, limit: int, at_limit: int
    ) -> dict[str, bytes]:
        """Files whose names end so: those below `limit` bytes, `at_limit` of just that size."""
        ...


async def read_catalog(files: Listing, folder: str) -> tuple[CatalogEntry, ...]:
    """The catalog as it is now, newest first; () when there is no such folder yet.

    Two commands, however many archives there are. A link is no archive, wherever it leads. Of a
    manifest that is beyond the limits the entry says so. Raises FluxstateError.
    """
    try:
        listed = [item for item in await files.list(folder) if not item.is_link]
        sizes = {item.name: item.size for item in listed if _is_manifest(item.name)}
        manifests = await files.read_small(folder, MANIFEST_SUFFIX, *_limit(sizes.values()))
    except FileNotFoundError:
        return ()
    return build(
        folder,
        [(item.name, item.size, item.mtime) for item in listed],
        {name: manifests.get(name, NotRead(size)) for name, size in sizes.items()},
    )


def _limit(sizes: Iterable[int]) -> tuple[int, int]:
    """The size of the largest manifests that are read, and how many of that size.

    Small ones first: a manifest of ours is small, and what others plant hides none of them.
    """
    together = most = at_most = 0
    for size in sorted(size for size in sizes if size <= MOST_MANIFEST_BYTES):
        together += size
        if together > MOST_CATALOG_BYTES:
            break
        most, at_most = size, at_most + 1 if size == most else 1
    return most, at_most


def _is_manifest(name: str) -> bool:
    return name.endswith(MANIFEST_SUFFIX) and not name.startswith(".")


async def is_there(files: Listing, path: str) -> bool:
    """Whether a file lies there, without reading it. Raises FluxstateError."""
    try:
        listed = await files.list(posixpath.dirname(path))
    except FileNotFoundError:
        return False
    return any(item.name == posixpath.basename(path) for item in listed)


# An archive by content.


@dataclass(frozen=True, slots=True)
class Version:
    """One archive by content: where it lies and what it must read back as."""

    path: str
    size: int
    sha256: str
