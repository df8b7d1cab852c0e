"""Reads the catalog beside a MiniCluster's `archive.path` for the store, when there is a reason."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from fluxstate_tui.archive.manifest import folder_of
from fluxstate_tui.broker.files import RemoteFiles
from fluxstate_tui.broker.locate import locate
from fluxstate_tui.catalog.catalog import is_there
from fluxstate_tui.catalog.signed import read_signed
from fluxstate_tui.errors import FluxstateError, said
from fluxstate_tui.kube.errors import Forbidden
from fluxstate_tui.kube.watch import Backoff
from fluxstate_tui.live.events import CatalogSeen, SourceChanged, StoreEvent
from fluxstate_tui.live.freshness import Freshness, catalog_source
from fluxstate_tui.live.queue_feed import FORBIDDEN_SECONDS, Lead
from fluxstate_tui.tasks import Pause

if TYPE_CHECKING:
    from fluxstate_tui.broker.context import OperationContext
    from fluxstate_tui.minicluster.minicluster import MiniCluster


_log = logging.getLogger(__name__)

FRESH_SECONDS = 60.0
"""What was read so lately is not read again because somebody looks."""


class CatalogFeed:
    """Reads it over the lead's pod when it is connected, when it is woken, and until it could.

    A folder cannot be watched, and what is idle costs nothing: nothing is read by the clock.
    """

    def __init__(
        self,
        context: OperationContext,
        emit: Callable[[StoreEvent], None],
        minicluster: MiniCluster,
        lead: Lead | None = None,
    ) -> None:
        self._context = context
        self._cluster = context.cluster
        self._emit = emit
        self._clock = context.clock
        self._minicluster = minicluster
        self._lead = lead or (lambda: locate(self._cluster, minicluster))
        self._source = catalog_source(minicluster.ref.uid)
        self._pause = Pause(self._clock)
        self._read_at: float | None = None

    async def run(self) -> None:
        """Read it now, and whenever it is woken, until cancelled."""
        if not self._minicluster.archive_path:
            self._say(Freshness.ABSENT, "no spec.archive.path: there is no place for archives")
            return
        if self._read_at is None:
            self._say(Freshness.CONNECTING, "")
        elif not self._is_old():
            await self._pause.wait()
        backoff = Backoff(self._clock)
        while True:
            again: float | None = None
            try:
                await self.look()
                backoff = Backoff(self._clock)
            except Forbidden as error:
                again = FORBIDDEN_SECONDS
                self._say(Freshness.FORBIDDEN, error.message)
            except FluxstateError as error:
                again = backoff.delay()
                self._say(Freshness.STALE, error.message)
            except Exception as error:  # a feed that ends unseen shows an old picture as live
                again = backoff.delay()
                _log.exception("the catalog of %s", self._minicluster.ref)
                self._say(Freshness.STALE, said(error))
            await self._pause.wait(again)

    def wake(self) -> None:
        """Look again now, or when it is connected next."""
        self._read_at = None
        self._pause.end()

    def wake_if_old(self) -> None:
        """Somebody looks at it: read it again unless that was a moment ago."""
        if self._is_old():
            self.wake()

    def _is_old(self) -> bool:
        return self._read_at is not None and self._clock.now() - self._read_at >= FRESH_SECONDS

    async def look(self) -> None:
        """Read it once. Raises NoLead, or what is in the way."""
        path = self._minicluster.archive_path
        if not path:
            return
        endpoint = await self._lead()
        files = RemoteFiles(
            self._cluster, endpoint.namespace, endpoint.pod, endpoint.container, endpoint.mounts
        )
        namespace = self._minicluster.ref.namespace
        entries = await read_signed(self._context, namespace, files, folder_of(path))
        armed = await is_there(files, path)
        now = self._read_at = self._clock.now()
        self._emit(CatalogSeen(self._minicluster.ref, entries, armed, now))
        self._say(Freshness.LIVE, "")

    def _say(self, freshness: Freshness, detail: str) -> None:
        self._emit(SourceChanged(self._source, freshness, detail, self._clock.now()))
