"""One connection to a cluster for as long as the dashboard shows it: it feeds the store."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fluxstate_tui.broker.files import RemoteFiles
from fluxstate_tui.clock import Clock
from fluxstate_tui.config import Config, GuardSettings
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.live.catalog_feed import CatalogFeed
from fluxstate_tui.live.events import (
    MiniClusterChanged,
    MiniClusterGone,
    MiniClusterMoved,
    MiniClustersListed,
    PodChanged,
    PodGone,
    StoreEvent,
)
from fluxstate_tui.live.guard import Guarding
from fluxstate_tui.live.queue_feed import QueueFeed
from fluxstate_tui.live.rights import Rights
from fluxstate_tui.live.store import Store
from fluxstate_tui.minicluster.minicluster import ClusterRef, MiniCluster
from fluxstate_tui.tasks import together

if TYPE_CHECKING:
    from fluxstate_tui.archive.manifest import CatalogEntry
    from fluxstate_tui.broker.context import OperationContext
    from fluxstate_tui.broker.session import FluxSession
    from fluxstate_tui.kube.client import Cluster
    from fluxstate_tui.kube.kubeconfig import KubeOptions
    from fluxstate_tui.live.picture import ClusterPicture


# A migration writes that the old one is deleted a moment after its object went.
_JOURNAL_SECONDS = 2.0


class Connection:
    """Opens the cluster, watches it, and keeps one set of feeds for each MiniCluster.

    `run` goes on until it is cancelled; only what nobody can wait out (a broken kubeconfig) ends
    it with a FluxstateError. `opened` is told `context / namespace` when a cluster is open; only
    the queues of MiniClusters that are `wanted` are read.
    """

    def __init__(
        self,
        options: KubeOptions,
        store: Store,
        clock: Clock,
        config: Config | None = None,
        opened: Callable[[str], None] = lambda place: None,
        wanted: Callable[[ClusterRef], bool] = lambda ref: True,
    ) -> None:
        self.options = options
        self._opened = opened
        self._wanted = wanted
        self._config = config or Config()
        self._store = store
        self.clock = clock
        self._context: OperationContext | None = None
        self._running: asyncio.Task[None] | None = None
        self._watched: dict[str, Watched] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._moves: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self.rights = Rights()

    async def run(self) -> None:
        """Connect and feed the store; an older connection ends first.

        Heavy imports happen here, after the first paint.
        """
        await self.stop()
        running = self._running = asyncio.create_task(self._run(), name="connection")
        try:
            await running
        finally:
            # Not stop(): by now a newer run() may have begun, and it must live.
            running.cancel()
            await asyncio.wait([running])

    async def stop(self) -> None:
        """End it; returns when every remote program has been told and every socket is closed."""
        if self._running is not None and not self._running.done():
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        from fluxstate_tui.kube.client import Cluster
        from fluxstate_tui.live.cluster_feed import ClusterFeed

        async with await Cluster.open(self.options, self.clock) as cluster:
            self._context = self._context_of(cluster)
            self._opened(f"{cluster.context} / {cluster.scope or 'all namespaces'}")
            calm_the_collector()
            self.rights.forget()
            try:
                await ClusterFeed(cluster, self._take, self.clock).run()
            finally:
                self._context = None
                watched = list(self._watched.values())
                self._watched.clear()
                asking = list(self._asking)
                for task in asking:
                    task.cancel()
                await asyncio.gather(*asking, return_exceptions=True)
                # Also of those that are gone: a save by itself gives its lock back.
                await together(*(one.stop() for one in watched), *self._ending)

    @property
    def cluster(self) -> Cluster:
        """The open cluster. Raises FluxstateError while there is none."""
        return self.context.cluster

    @property
    def context(self) -> OperationContext:
        """What operations are given. Raises FluxstateError while there is no connection."""
        if self._context is None:
            raise FluxstateError(
                "there is no connection to a cluster",
                safe="Nothing was sent.",
                advice="Wait until the header says live, or press ctrl+r to connect again.",
            )
        return self._context

    def _context_of(self, cluster: Cluster) -> OperationContext:
        from fluxstate_tui.broker.context import OperationContext, default_state_dir, default_who

        state_dir, room = default_state_dir(), self._config.room_for_copies
        image = self._config.helper_pod.image or ""
        return OperationContext(cluster, self.clock, state_dir, default_who(), room, image)

    @property
    def helper_pods_always(self) -> bool:
        """The configuration agrees to helper pods."""
        return self._config.helper_pod.always

    def minicluster(self, ref: ClusterRef) -> MiniCluster:
        """As it was seen last. Raises FluxstateError when it never was."""
        picture = self._store.clusters.get(ref.uid)
        if picture is None:
            raise FluxstateError(f"{ref} was never seen", safe="Nothing was changed.")
        return picture.minicluster

    def catalog_entry(self, ref: ClusterRef, archive: str) -> CatalogEntry:
        """An archive by its id, as last seen. Raises FluxstateError when it is not there."""
        picture = self._store.clusters.get(ref.uid)
        for entry in picture.catalog if picture is not None else ():
            if entry.id == archive:
                return entry
        raise FluxstateError(
            f"there is no archive {archive!r} in the catalog of {ref}",
            safe="Nothing was changed.",
            advice="Read the catalog again and choose another.",
            exit_code=ExitCode.NOT_FOUND,
        )

    @asynccontextmanager
    async def files(
        self, ref: ClusterRef, *, start_helper_pod: bool = False
    ) -> AsyncIterator[RemoteFiles]:
        """The volume of its archives: over its lead, else over a short-lived helper pod.

        Raises HelperPodNeededError when that would have to be started, and nobody agreed to it.
        """
        from fluxstate_tui.broker import manifest_cache as last_seen
        from fluxstate_tui.catalog.helper_pod import (
            HelperPod,
            HelperPodNeededError,
            pod_for,
            pod_words,
        )

        watched = self._watched.get(ref.uid)
        files = watched.files() if watched is not None else None
        if files is not None:
            yield files
            return
        context = self.context
        manifest = last_seen.recall(
            context.state_dir, context.cluster.server, ref.namespace, ref.name
        )
        if manifest is None:
            raise FluxstateError(
                f"MiniCluster {ref} is not there any more, and its manifest is not known here",
                safe="Its archives stay on their volume.",
                advice="Create a MiniCluster with the same volume, or use restore with --file.",
                exit_code=ExitCode.NOT_FOUND,
            )
        if not (start_helper_pod or self._config.helper_pod.always):
            raise HelperPodNeededError(pod_words(pod_for(manifest, "", image=context.helper_image)))
        helper = await HelperPod.start(context, manifest, writes=False)
        try:
            yield helper.files
        finally:
            await helper.remove()

    def watched(self, ref: ClusterRef) -> Watched:
        """The feeds of one MiniCluster. Raises FluxstateError when it is not watched."""
        found = self._watched.get(ref.uid)
        if found is None:
            raise FluxstateError(
                f"MiniCluster {ref} is not there any more",
                safe="Nothing was sent.",
                advice="Go back to the list; its archives stay on their volume.",
            )
        return found

    def look_again(self, ref: ClusterRef) -> None:
        """Read the catalog now, if that MiniCluster is still there."""
        watched = self._watched.get(ref.uid)
        if watched is not None:
            watched.catalog.wake()

    def picture(self, ref: ClusterRef) -> ClusterPicture | None:
        """What the store knows of it."""
        return self._store.clusters.get(ref.uid)

    def look_for_moves(self) -> None:
        """Tell the store which MiniClusters were migrated from here, and where they went."""
        if self._moves is None or self._moves.done():
            self._moves = asyncio.create_task(self._tell_moves(), name="moves")
            self._asking.add(self._moves)
            self._moves.add_done_callback(self._asking.discard)

    async def _tell_moves(self) -> None:
        from fluxstate_tui.operations.moves import moves

        context = self.context
        await self.clock.sleep(_JOURNAL_SECONDS)
        for move in await asyncio.to_thread(moves, context.state_dir):
            if move.from_server == context.cluster.server:
                event = MiniClusterMoved(move.source.uid, move.words, self.clock.now())
                self._store.take(event)

    def _take(self, event: StoreEvent) -> None:
        """Every event goes to the store first; then the feeds follow what it says."""
        self._store.take(event)
        match event:
            case MiniClustersListed(items=items):
                for uid in self._watched.keys() - {item.ref.uid for item in items}:
                    self._forget(uid)
                for item in items:
                    self._follow(item)
            case MiniClusterChanged(item=item):
                self._follow(item)
            case MiniClusterGone(uid=uid):
                self._forget(uid)
                self.look_for_moves()
            case PodChanged() | PodGone():
                self._pods_moved(event)

    def _follow(self, item: MiniCluster) -> None:
        known = self._watched.get(item.ref.uid)
        if known is not None:
            known.minicluster = item
        elif self._context is not None and self._wanted(item.ref):
            watched = Watched(self._context, self._store.take, item, self._config.guard)
            self._watched[item.ref.uid] = watched
            watched.start()
            self._learn_rights(item.ref.namespace)

    def _learn_rights(self, namespace: str) -> None:
        if self._context is not None and not self.rights.knows(namespace):
            _until_done(self.rights.learn(self._context.cluster, namespace), self._asking)

    def _forget(self, uid: str) -> None:
        gone = self._watched.pop(uid, None)
        if gone is not None:
            _until_done(gone.stop(), self._ending)

    def _pods_moved(self, event: PodChanged | PodGone) -> None:
        """A lead may have come or gone: feeds that wait for one should look now."""
        if isinstance(event, PodChanged) and event.item.index == 0:
            watched = self._watched.get(event.item.cluster_uid)
            if watched is not None:
                watched.wake()


def _until_done(work: Coroutine[None, None, None], tasks: set[asyncio.Task[None]]) -> None:
    """Run it as one of the tasks; asyncio itself keeps none alive."""
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def calm_the_collector() -> None:
    """What was imported stays: with it frozen, a list of 100,000 jobs stops the screen 21 ms, not
    100 ms, at the longest (tests/benchmarks/live_queue.py)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


# The feeds of one MiniCluster, its queue and its catalog of archives, and its guard.


class Watched:
    """Runs the feeds of one MiniCluster as tasks until it is stopped."""

    def __init__(
        self,
        context: OperationContext,
        emit: Callable[[StoreEvent], None],
        minicluster: MiniCluster,
        guard: GuardSettings,
    ) -> None:
        self._cluster, clock = context.cluster, context.clock
        self.minicluster = minicluster
        self.queue = QueueFeed(context, emit, minicluster)
        self.catalog = CatalogFeed(self._cluster, emit, clock, minicluster)
        self.guarding = Guarding(context, minicluster.ref, self.queue.checkpoints, emit, guard)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin feeding."""
        name = str(self.minicluster.ref)
        self._tasks = [
            asyncio.create_task(self.queue.run(), name=f"queue of {name}"),
            asyncio.create_task(self.catalog.run(), name=f"catalog of {name}"),
            asyncio.create_task(self.guarding.run(), name=f"guard of {name}"),
        ]

    def wake(self) -> None:
        """Something happened to its lead: do not wait for the next try."""
        self.queue.wake()
        self.catalog.wake()

    async def stop(self) -> None:
        """End the feeds and wait until they have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def files(self) -> RemoteFiles | None:
        """The files that its lead sees, None while no lead was found."""
        at = self.queue.endpoint
        if at is None:
            return None
        return RemoteFiles(self._cluster, at.namespace, at.pod, at.container, at.mounts)

    def session(self) -> FluxSession:
        """The open conversation with the broker. Raises FluxstateError while there is none."""
        if self.queue.session is None and self.queue.checkpoints() is not None:
            raise FluxstateError(
                "this needs the Python bindings of Flux, which its lead container has not",
                safe="Nothing was sent.",
                advice="Submitting works; for single jobs use kubectl exec and flux job.",
            )
        if self.queue.session is None:
            raise FluxstateError(
                f"the broker of {self.minicluster.ref} cannot be reached now",
                safe="Nothing was sent.",
                advice="Wait until its queue is live again: the header says so.",
            )
        return self.queue.session
