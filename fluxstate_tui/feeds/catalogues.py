"""Reads the catalogue beside a MiniCluster's `archive.path`, and tells the store about it."""

from __future__ import annotations

import asyncio
import builtins
import logging
import posixpath
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from fluxstate_tui.archive.catalogue import MANIFEST_SUFFIX, build, folder_of
from fluxstate_tui.archive.manifest import CatalogueEntry
from fluxstate_tui.errors import FluxstateError, said
from fluxstate_tui.feeds.ended import ended
from fluxstate_tui.flux.files import RemoteEntry, RemoteFiles
from fluxstate_tui.flux.locate import locate
from fluxstate_tui.kube.errors import Forbidden
from fluxstate_tui.store.events import CatalogueSeen, SourceChanged, StoreEvent
from fluxstate_tui.store.freshness import Freshness

if TYPE_CHECKING:
    from fluxstate_tui.clock import Clock
    from fluxstate_tui.kube.session import Cluster
    from fluxstate_tui.model.minicluster import MiniCluster

_log = logging.getLogger(__name__)

POLL_SECONDS = 15.0


class Listing(Protocol):
    """What a catalogue is read with: flux.files.RemoteFiles, or a folder of this computer."""

    async def list(self, folder: str) -> builtins.list[RemoteEntry]:
        """Its regular files. Raises FileNotFoundError."""
        ...

    async def read_small(self, folder: str, suffix: str, limit: int = ...) -> dict[str, bytes]:
        """Small files whose names end so, by name."""
        ...


async def read_catalogue(files: Listing, folder: str) -> tuple[CatalogueEntry, ...]:
    """The catalogue as it is now, newest first; () when there is no such folder yet.

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


class CatalogueFeed:
    """Keeps the store's picture of one MiniCluster's catalogue up to date, over the lead's pod."""

    def __init__(
        self,
        cluster: Cluster,
        emit: Callable[[StoreEvent], None],
        clock: Clock,
        minicluster: MiniCluster,
    ) -> None:
        self._cluster = cluster
        self._emit = emit
        self._clock = clock
        self._minicluster = minicluster
        self._source = f"catalogue:{minicluster.ref.uid}"
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Look every 15 s, or when woken, until cancelled. Never ends by itself."""
        if not self._minicluster.archive_path:
            self._say(Freshness.ABSENT, "no spec.archive.path: there is no place for archives")
            return
        self._say(Freshness.CONNECTING, "")
        while True:
            self._woken.clear()
            try:
                await self._look()
            except FluxstateError as error:
                forbidden = isinstance(error, Forbidden)
                self._say(Freshness.FORBIDDEN if forbidden else Freshness.STALE, error.message)
            except Exception as error:  # a feed that ends unseen shows an old picture as live
                _log.exception("the catalogue of %s", self._minicluster.ref)
                self._say(Freshness.STALE, said(error))
            await self._rest()

    def wake(self) -> None:
        """Look again now."""
        self._woken.set()

    async def _look(self) -> None:
        path = self._minicluster.archive_path
        endpoint = await locate(self._cluster, self._minicluster)
        files = RemoteFiles(
            self._cluster, endpoint.namespace, endpoint.pod, endpoint.container, endpoint.mounts
        )
        entries = await read_catalogue(files, folder_of(path))
        armed = await is_there(files, path)
        now = self._clock.now()
        self._emit(CatalogueSeen(self._minicluster.ref, entries, armed, now))
        self._say(Freshness.LIVE, "")

    async def _rest(self) -> None:
        """Until the next look is due, or somebody wakes us."""
        tasks = {
            asyncio.ensure_future(self._clock.sleep(POLL_SECONDS)),
            asyncio.ensure_future(self._woken.wait()),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await ended(*tasks)

    def _say(self, freshness: Freshness, detail: str) -> None:
        self._emit(SourceChanged(self._source, freshness, detail, self._clock.now()))
