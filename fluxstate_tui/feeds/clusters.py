"""Keeps the store's picture of MiniClusters, pods, Jobs and events up to date."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

from fluxstate_tui.clock import Clock
from fluxstate_tui.feeds.server_time import ServerTime
from fluxstate_tui.feeds.sources import (
    Emit,
    EventSource,
    Item,
    JobSource,
    Links,
    MiniClusterSource,
    PodSource,
    Source,
)
from fluxstate_tui.kube.backoff import Backoff, Pause
from fluxstate_tui.kube.errors import CannotConnect, CrdMissing, KubeError
from fluxstate_tui.kube.listing import ListQuery
from fluxstate_tui.kube.listwatch import ListWatch, sentence
from fluxstate_tui.kube.resources import EVENTS, JOBS, PODS, Resource
from fluxstate_tui.kube.watch_events import (
    Changed,
    Deleted,
    Listed,
    StateChanged,
    WatchEvent,
    WatchState,
)
from fluxstate_tui.store.events import SourceChanged
from fluxstate_tui.store.freshness import Freshness

if TYPE_CHECKING:
    from fluxstate_tui.kube.session import Cluster


HEARTBEAT_SECONDS = 10.0


class Watch(Protocol):
    """A list+watch, of whatever objects."""

    def doubt(self, error: KubeError) -> None:
        """The server was found gone."""
        ...

    def retry(self) -> None:
        """The server is back."""
        ...


class ClusterFeed:
    """List+watch of everything around MiniClusters, as events of the store.

    Where all namespaces were asked for but are forbidden, it falls back to the context's namespace
    and says so. `run()` never ends by itself and never raises because a cluster went away.
    """

    def __init__(self, cluster: Cluster, emit: Emit, clock: Clock) -> None:
        self._cluster = cluster
        self._emit = emit
        self._clock = clock
        self._links = Links()
        self._watches: set[Watch] = set()
        self._discovery = Pause(clock)
        self._said: dict[str, StateChanged] = {}
        self._server_time = ServerTime(emit)

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._miniclusters(MiniClusterSource(self._emit)))
            tasks.create_task(self._scoped(PodSource(self._emit, self._links), PODS))
            tasks.create_task(self._scoped(JobSource(self._emit, self._links), JOBS))
            tasks.create_task(self._scoped(EventSource(self._emit), EVENTS))
            tasks.create_task(self._heartbeat())

    async def _heartbeat(self) -> None:
        """Notice within seconds that the API server is gone, or back again.

        A restarted one leaves open watches hanging silently for up to a minute
        (facts/kubernetes-live.md, "API"), and back-off alone may sleep half a minute too long.
        """
        gone = False
        while True:
            await self._clock.sleep(HEARTBEAT_SECONDS)
            try:
                await self._cluster.request("GET", "/version")
            except CannotConnect as error:
                gone = True
                for watch in self._watches:
                    watch.doubt(error)
                continue
            except KubeError:
                pass  # Somebody answers, whatever it is: the watches speak for themselves.
            self._tell_time()
            if gone:
                gone = False
                self._discovery.end()
                for watch in self._watches:
                    watch.retry()

    async def _miniclusters(self, source: Source[Item]) -> None:
        """MiniClusters, in the version that is served now; asked again when that changes."""
        backoff = Backoff(self._clock)
        self._say(source, StateChanged(WatchState.CONNECTING))
        while True:
            try:
                resource = await self._cluster.discover_miniclusters()
            except KubeError as error:
                absent = isinstance(error, CrdMissing)
                state = WatchState.ABSENT if absent else WatchState.STALE
                if absent and self._state(source) is not WatchState.ABSENT:
                    source.listed((), self._clock.now())
                self._say(source, StateChanged(state, sentence(error)))
            else:
                await self._follow_scope(source, resource, until=WatchState.ABSENT)
            await self._discovery.wait(backoff.delay())

    async def _scoped(self, source: Source[Item], resource: Resource) -> None:
        self._say(source, StateChanged(WatchState.CONNECTING))
        await self._follow_scope(source, resource, until=None)

    async def _follow_scope(
        self, source: Source[Item], resource: Resource, until: WatchState | None
    ) -> None:
        """Watch the scope that was asked for, or the namespace if that is all we may see."""
        namespace = self._cluster.scope
        if namespace is None:
            stopped = await self._follow(source, resource, None, {WatchState.FORBIDDEN, until})
            if stopped.state is until:
                return
            namespace = self._cluster.namespace
            note = f"Only namespace '{namespace}': {stopped.detail}"
            await self._follow(source, resource, namespace, {until}, note)
        else:
            await self._follow(source, resource, namespace, {until})

    async def _follow(
        self,
        source: Source[Item],
        resource: Resource,
        namespace: str | None,
        until: set[WatchState | None],
        note: str = "",
    ) -> StateChanged:
        """Tell the store what happens, until one of these states is reached."""
        watch = ListWatch(
            self._cluster, ListQuery(resource, namespace), source.read, clock=self._clock
        )
        self._watches.add(watch)
        try:
            async with aclosing(watch.events()) as events:
                async for event in events:
                    if not isinstance(event, StateChanged):
                        self._tell(source, event)
                        continue
                    live = event.state is WatchState.LIVE
                    self._say(source, StateChanged(event.state, note) if live else event)
                    if event.state in until:
                        return event
        finally:
            self._watches.discard(watch)
        raise AssertionError("a list+watch never ends by itself")

    def _tell_time(self) -> None:
        self._server_time.seen(self._cluster.clock_offset, self._clock.now())

    def _tell(self, source: Source[Item], event: WatchEvent[Item]) -> None:
        at = self._clock.now()
        match event:
            case Listed(items=items):
                self._tell_time()
                source.listed(items, at)
            case Changed(item=item):
                source.changed(item, at)
            case Deleted(item=item):
                source.deleted(item, at)

    def _say(self, source: Source[Item], event: StateChanged) -> None:
        if self._said.get(source.name) == event:
            return
        self._said[source.name] = event
        freshness = Freshness(event.state.value)
        self._emit(SourceChanged(source.name, freshness, event.detail, self._clock.now()))

    def _state(self, source: Source[Item]) -> WatchState | None:
        said = self._said.get(source.name)
        return said.state if said else None
