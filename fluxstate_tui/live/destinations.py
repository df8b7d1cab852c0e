"""Where migrations go to: another namespace or context, shown by a store of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from fluxstate_tui.clock import Clock
from fluxstate_tui.config import Config, GuardSettings
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.live.connection import Connection
from fluxstate_tui.live.store import Store
from fluxstate_tui.tasks import together

if TYPE_CHECKING:
    from fluxstate_tui.broker.context import OperationContext
    from fluxstate_tui.kube.client import Cluster
    from fluxstate_tui.kube.kubeconfig import KubeOptions
    from fluxstate_tui.minicluster.minicluster import ClusterRef
    from fluxstate_tui.operations.base import Choices


ONLY_LOOK = Config(guard=GuardSettings(checkpoint=None, save=None))


class Destination:
    """A second connection that shows only the MiniClusters that somebody migrates to."""

    def __init__(self, options: KubeOptions, clock: Clock) -> None:
        self.store = Store()
        self.wanted: set[str] = set()
        self._opened = asyncio.Event()
        self._connection = Connection(
            options,
            self.store,
            clock,
            ONLY_LOOK,
            lambda place: self._opened.set(),
            wanted=lambda ref: ref.name in self.wanted,
        )
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> OperationContext:
        """Connect, if it is not connected. Raises FluxstateError with the reason."""
        if self._task is None or self._task.done():
            self._opened.clear()
            self._task = asyncio.create_task(self._connection.run(), name="destination")
        opened = asyncio.create_task(self._opened.wait())
        await asyncio.wait({self._task, opened}, return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        if self._task.done():
            self._task.result()
        return self._connection.context

    def look_again(self, refs: Iterable[ClusterRef]) -> None:
        """Read the catalogs of these now."""
        self._connection.look_again(refs)

    async def stop(self) -> None:
        """End its feeds."""
        if self._task is not None:
            await self._connection.stop()
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.exception()  # whoever opened it was told


class Destinations:
    """Opened when first wanted, and kept until the dashboard ends.

    `protects` says which contexts the configuration makes read-only.
    """

    def __init__(self, here: Connection, protects: Callable[[str], bool]) -> None:
        self._here = here
        self._options = here.options
        self._clock = here.clock
        self._protects = protects
        self._known: dict[tuple[str, str], Destination] = {}

    async def open(
        self, ref: ClusterRef, choices: Choices
    ) -> tuple[OperationContext | None, Store | None]:
        """The other cluster (None: the same), and the store that shows the new MiniCluster (None:
        the dashboard's own). Raises FluxstateError when it cannot be reached.
        """
        cluster = self._here.cluster
        other = choices.to_context not in ("", cluster.context)
        namespace = choices.to_namespace or ref.namespace
        if not other and cluster.scope in (None, namespace):
            return None, None
        context = choices.to_context if other else cluster.context
        key = (context, namespace)
        found = self._known.get(key)
        if found is None:
            options = self._to(context) if other else self._options
            options = replace(options, namespace=namespace, all_namespaces=False)
            found = self._known[key] = Destination(options, self._clock)
        found.wanted.add(choices.to_name or ref.name)
        there = await found.open()
        return (there if other else None), found.store

    async def contexts(self) -> tuple[str, ...]:
        """The contexts of the kubeconfig, the one that is shown first."""
        from fluxstate_tui.kube.kubeconfig import context_names

        current = self._here.cluster.context
        names = await asyncio.to_thread(context_names, self._options)
        return (current, *(name for name in names if name != current))

    async def namespaces(self, context: str) -> tuple[str, ...]:
        """The namespaces of a context, as far as they may be listed."""
        from fluxstate_tui.kube.client import Cluster

        try:
            if context in ("", self._here.cluster.context):
                return await _namespaces(self._here.cluster)
            async with await Cluster.open(self._to(context), self._clock) as cluster:
                return await _namespaces(cluster)
        except FluxstateError:
            return ()  # one that cannot be reached says so when the migration is planned

    def look_again(self, refs: Collection[ClusterRef]) -> None:
        """Read the catalogs of these now, wherever they are."""
        for found in self._known.values():
            found.look_again(refs)

    async def stop(self) -> None:
        """End all of them."""
        await together(*(found.stop() for found in self._known.values()))

    def _to(self, context: str) -> KubeOptions:
        """That context with its own cluster and user; its protection counts as well."""
        protected = self._options.read_only or self._protects(context)
        return replace(self._options, context=context, cluster=None, user=None, read_only=protected)


async def _namespaces(cluster: Cluster) -> tuple[str, ...]:
    from fluxstate_tui.kube.objects import NAMESPACES

    found = await cluster.list(NAMESPACES, None)
    return tuple(sorted(str(item["metadata"]["name"]) for item in found))
