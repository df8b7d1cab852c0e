"""One connection to a cluster for as long as the dashboard shows it: it feeds the store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from fluxstate_tui.broker.files import RemoteFiles
from fluxstate_tui.clock import Clock
from fluxstate_tui.config import Config
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.live.attention import MOST_CONNECTED, Attention
from fluxstate_tui.live.events import (
    MiniClusterChanged,
    MiniClusterGone,
    MiniClusterMoved,
    MiniClustersListed,
    PodChanged,
    PodGone,
    PodsListed,
    SourceChanged,
    StoreEvent,
)
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.live.rights import Rights
from fluxstate_tui.live.store import Store
from fluxstate_tui.live.watched import Watched
from fluxstate_tui.minicluster.minicluster import ClusterRef, MiniCluster
from fluxstate_tui.tasks import Pause, together

if TYPE_CHECKING:
    from fluxstate_tui.archive.manifest import CatalogEntry
    from fluxstate_tui.broker.context import OperationContext
    from fluxstate_tui.broker.locate import Endpoint
    from fluxstate_tui.kube.client import Cluster
    from fluxstate_tui.kube.kubeconfig import KubeOptions
    from fluxstate_tui.live.picture import ClusterPicture


_log = logging.getLogger(__name__)

# A migration writes that the old one is deleted a moment after its object went.
_JOURNAL_SECONDS = 2.0
# To scroll past a MiniCluster connects nothing.
_GLANCE_SECONDS = 0.3
_ROUND_SECONDS = 0.5
_ASK_SECONDS = 20.0
# Of these the store has the last pods, however old they are.
_WATCHED = (Freshness.LIVE, Freshness.STALE)


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
        most_connected: int = MOST_CONNECTED,
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
        self._attention = Attention(most_connected)
        self._looks_changed = Pause(clock)
        self._round_news = Pause(clock)
        self._pods_known = asyncio.Event()
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
            self.rights.forget()
            self._pods_known.clear()
            try:
                feed = ClusterFeed(cluster, self._take, self.clock)
                await together(feed.run(), self._follow_looks(), self._go_round())
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
        return OperationContext(
            cluster=cluster,
            clock=self.clock,
            state_dir=state_dir,
            who=default_who(),
            room_for_copies=room,
            helper_image=image,
            signing_secret=self._config.signing_secret,
        )

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

    def look(self, viewer: str, uids: Iterable[str]) -> None:
        """`viewer` (a screen) shows these MiniClusters now, the most important first.

        They are connected, up to a limit; the others are asked once, in turn.
        """
        seen = tuple(uids)
        if not self._attention.look(viewer, seen):
            return
        self._looks_changed.end()
        if seen and seen[0] in self._watched:
            self._watched[seen[0]].catalog.wake_if_old()

    def hold(self, ref: ClusterRef) -> None:
        """An operation begins to work on it: it is connected until it is released."""
        self._attention.hold(ref.uid)
        self._arrange()

    def release(self, ref: ClusterRef) -> None:
        """That operation has ended."""
        self._attention.release(ref.uid)

    @property
    def connected(self) -> int:
        """How many MiniClusters are connected."""
        return sum(watched.connected for watched in self._watched.values())

    async def _follow_looks(self) -> None:
        """Connect what people look at, once they stay there."""
        while True:
            await self._looks_changed.wait()
            await self.clock.sleep(_GLANCE_SECONDS)
            self._arrange()

    def _arrange(self) -> None:
        """Connect those that were chosen, and no others."""
        connected = [uid for uid, watched in self._watched.items() if watched.connected]
        chosen = self._attention.chosen(self._watched, connected)
        for uid in connected:
            if uid not in chosen:
                _keep(self._watched[uid].sleep(), self._ending)
        for uid in chosen:
            self._watched[uid].connect()
            self._learn_rights(self._watched[uid].minicluster.ref.namespace)

    async def _go_round(self) -> None:
        """Ask those that nobody looks at once in the life of their lead, one after the other."""
        while True:
            found = self._to_ask()
            if found is None:
                await self._round_news.wait()
                continue
            due, watched = found
            if due > self.clock.now():
                await self._round_news.wait(due - self.clock.now())
                continue
            try:
                async with asyncio.timeout(_ASK_SECONDS):
                    await watched.ask_once()
            except (FluxstateError, TimeoutError) as error:
                _log.info("%s was not asked: %s", watched.minicluster.ref, error)
            except Exception:  # what one pod answers must not end the connection for all
                _log.exception("%s was not asked", watched.minicluster.ref)
            await self.clock.sleep(_ROUND_SECONDS)

    def _to_ask(self) -> tuple[float, Watched] | None:
        """Who is next, and when; None while nobody is to be asked."""
        best: tuple[float, Watched] | None = None
        for uid, watched in self._watched.items():
            leads = (pod for pod in self._store.pods_of(uid) if pod.index == 0)
            lead = None if watched.connected else next(leads, None)
            if lead is None or lead.phase != "Running" or lead.deleting_since is not None:
                continue
            due = watched.asking.due(lead.uid)
            if due is not None and (best is None or due < best[0]):
                best = due, watched
        return best

    async def _lead(self, uid: str) -> Endpoint:
        """The lead's container, from the store where pods are watched. Raises NoLead, KubeError."""
        from fluxstate_tui.broker.locate import NoLead, find_endpoint, locate

        await self._pods_known.wait()
        watched = self._watched.get(uid)
        if watched is None:
            raise NoLead("That MiniCluster is not there any more.", safe="Nothing was asked.")
        source = self._store.source("pods")
        if source is not None and source.freshness in _WATCHED:
            leads = [pod.raw for pod in self._store.pods_of(uid) if pod.raw is not None]
            return find_endpoint(watched.minicluster, leads)
        return await locate(self.cluster, watched.minicluster)

    def look_again(self, refs: Iterable[ClusterRef]) -> None:
        """Read the catalogs of these now, and of those that were made anew under their names."""
        names = {(ref.namespace, ref.name) for ref in refs}
        for watched in self._watched.values():
            if (watched.minicluster.ref.namespace, watched.minicluster.ref.name) in names:
                watched.catalog.wake()
                if not watched.connected:
                    watched.asking.again()
                    self._round_news.end()

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
                self._arrange()
            case MiniClusterChanged(item=item):
                self._follow(item)
                self._arrange()
            case MiniClusterGone(uid=uid):
                self._forget(uid)
                self._arrange()
                self.look_for_moves()
            case PodsListed():
                for watched in self._watched.values():
                    watched.wake()
                self._round_news.end()
            case PodChanged() | PodGone():
                self._pods_moved(event)
            case SourceChanged(source="pods", freshness=freshness):
                if freshness is not Freshness.CONNECTING:
                    self._pods_known.set()

    def _follow(self, item: MiniCluster) -> None:
        known = self._watched.get(item.ref.uid)
        if known is not None:
            known.minicluster = item
        elif self._context is not None and self._wanted(item.ref):
            uid = item.ref.uid
            self._watched[uid] = Watched(
                self._context, self._store.take, item, self._config.guard, partial(self._lead, uid)
            )

    def _learn_rights(self, namespace: str) -> None:
        if self._context is not None and self.rights.begin(namespace):
            _until_done(self.rights.learn(self._context.cluster, namespace), self._asking)

    def _forget(self, uid: str) -> None:
        gone = self._watched.pop(uid, None)
        if gone is not None:
            _until_done(gone.stop(), self._ending)

    def _pods_moved(self, event: PodChanged | PodGone) -> None:
        """A lead may have come: feeds that wait for one should look now."""
        if not isinstance(event, PodChanged):
            return
        watched = self._watched.get(event.item.cluster_uid)
        if watched is not None and not watched.connected:
            watched.asking.again()
            self._round_news.end()
        elif watched is not None and event.item.index == 0:
            watched.wake()


def _until_done(work: Coroutine[None, None, None], tasks: set[asyncio.Task[None]]) -> None:
    """Run it as one of the tasks; asyncio itself keeps none alive."""
    _keep(asyncio.create_task(work), tasks)


def _keep(task: asyncio.Task[None], tasks: set[asyncio.Task[None]]) -> None:
    tasks.add(task)
    task.add_done_callback(tasks.discard)
