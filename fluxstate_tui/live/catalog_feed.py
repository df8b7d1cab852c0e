"""Keeps the store's picture of the catalog beside a MiniCluster's `archive.path` up to date."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from fluxstate_tui.archive.manifest import folder_of
from fluxstate_tui.broker.files import RemoteFiles
from fluxstate_tui.broker.locate import locate
from fluxstate_tui.catalog.catalog import POLL_SECONDS, is_there, read_catalog
from fluxstate_tui.errors import FluxstateError, said
from fluxstate_tui.kube.errors import Forbidden
from fluxstate_tui.live.events import CatalogSeen, SourceChanged, StoreEvent
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.tasks import ended

if TYPE_CHECKING:
    from fluxstate_tui.clock import Clock
    from fluxstate_tui.kube.client import Cluster
    from fluxstate_tui.minicluster.minicluster import MiniCluster


_log = logging.getLogger(__name__)


class CatalogFeed:
    """Keeps the store's picture of one MiniCluster's catalog up to date, over the lead's pod."""

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
        self._source = f"catalog:{minicluster.ref.uid}"
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
                _log.exception("the catalog of %s", self._minicluster.ref)
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
        entries = await read_catalog(files, folder_of(path))
        armed = await is_there(files, path)
        now = self._clock.now()
        self._emit(CatalogSeen(self._minicluster.ref, entries, armed, now))
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
