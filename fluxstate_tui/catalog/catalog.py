"""Reads the catalog beside a MiniCluster's `archive.path`, and tells the store about it."""

from __future__ import annotations

import builtins
import logging
import posixpath
from dataclasses import dataclass
from typing import Protocol

from fluxstate_tui.archive.manifest import MANIFEST_SUFFIX, CatalogEntry, build
from fluxstate_tui.broker.files import RemoteEntry

_log = logging.getLogger(__name__)


class Listing(Protocol):
    """What a catalog is read with: flux.files.RemoteFiles, or a folder of this computer."""

    async def list(self, folder: str) -> builtins.list[RemoteEntry]:
        """Its regular files. Raises FileNotFoundError."""
        ...

    async def read_small(self, folder: str, suffix: str, limit: int = ...) -> dict[str, bytes]:
        """Small files whose names end so, by name."""
        ...


async def read_catalog(files: Listing, folder: str) -> tuple[CatalogEntry, ...]:
    """The catalog as it is now, newest first; () when there is no such folder yet.

    Two commands, however many archives there are. A link is no archive, wherever it leads.
    Raises FluxstateError.
    """
    try:
        listed = await files.list(folder)
        manifests = await files.read_small(folder, MANIFEST_SUFFIX)
    except FileNotFoundError:
        return ()
    names = [item.name for item in listed if _is_manifest(item.name) and not item.is_link]
    return build(
        folder,
        [(item.name, item.size, item.mtime) for item in listed if not item.is_link],
        # One that is too large to be read is no manifest, and said to be none by `build`.
        {name: manifests.get(name, b"") for name in names},
    )


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
