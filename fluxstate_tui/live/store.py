"""The store: takes events, keeps one consistent picture, and says what changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from fluxstate_tui.live.freshness import (
    Freshness,
    Source,
    catalog_source,
    parts_of_source,
    queue_source,
)
from fluxstate_tui.live.summary import Summary, broker_access, summarize
from fluxstate_tui.live.workload import Workload

if TYPE_CHECKING:
    from fluxstate_tui.diagnosis.finding import Diagnosis
    from fluxstate_tui.flux.queue import Node, Queue
    from fluxstate_tui.flux.stuck import StuckQueue
    from fluxstate_tui.live import events as e
    from fluxstate_tui.live.picture import ClusterPicture
    from fluxstate_tui.minicluster.minicluster import Derived, MiniCluster
    from fluxstate_tui.minicluster.objects import KubeEvent, KubeJob, Pod
    from fluxstate_tui.minicluster.phase import BrokerAccess


# What changed in the store since the last notice, so that nobody looks at what did not.


class Changes(Struct):
    """Uids of the MiniClusters whose parts changed. `jobs` maps a uid to ids, None = all."""

    summaries: set[str] = field(default_factory=set)
    pods: set[str] = field(default_factory=set)
    queues: set[str] = field(default_factory=set)
    catalogs: set[str] = field(default_factory=set)
    guards: set[str] = field(default_factory=set)
    jobs: dict[str, set[int] | None] = field(default_factory=dict)
    events: bool = False
    sources: bool = False

    def __bool__(self) -> bool:
        return bool(
            self.summaries
            or self.pods
            or self.queues
            or self.catalogs
            or self.guards
            or self.jobs
            or self.events
            or self.sources
        )

    def add_jobs(self, uid: str, ids: Iterable[int] | None) -> None:
        """Note changed jobs of one MiniCluster; None means that all of them may have changed."""
        if ids is None:
            self.jobs[uid] = None
            return
        known = self.jobs.setdefault(uid, set())
        if known is not None:
            known.update(ids)


MAX_EVENTS = 2000
_ASKED = (Freshness.LIVE, Freshness.ASLEEP)  # what was read is kept, with its age


class Derive(Protocol):
    """The rule that gives a MiniCluster its phase (model.phase.derive)."""

    def __call__(
        self,
        minicluster: MiniCluster,
        job: KubeJob | None,
        pods: Sequence[Pod],
        broker_state: str | None,
        queues: Sequence[Queue],
        now: float,
        *,
        events: Sequence[KubeEvent] = (),
        nodes: Sequence[Node] = (),
        access: BrokerAccess = ...,
        stuck: StuckQueue | None = None,
        job_known: bool = True,
    ) -> Derived: ...


class Store:
    """One consistent picture. `take` an event; `on_dirty` is called when there is news to tell.

    `derive` gives a MiniCluster its phase; None is the rule of model.phase.
    """

    def __init__(self, derive: Derive | None = None) -> None:
        self.clusters: dict[str, ClusterPicture] = {}
        self.summaries: dict[str, Summary] = {}
        self.sources: dict[str, Source] = {}
        self.on_dirty: Callable[[], None] | None = None
        self._events: dict[str, dict[str, KubeEvent]] = {}
        self._event_owners: dict[str, str] = {}
        self._workload = Workload()
        self._unread = {"pods", "jobs"}
        self._derive = derive
        self.silenced: tuple[str, ...] = ()
        self.undiagnosed: set[str] = set()
        """What a diagnosis looks at changed there, since whoever keeps diagnoses took the uid."""
        self._changes = Changes()
        self._stale_summaries: set[str] = set()
        # By name: the classes need not exist before the first event does (20 ms of CPU).
        self._handlers: dict[str, Callable[..., None]] = {
            "SourceChanged": self._source_changed,
            "MiniClustersListed": self._clusters_listed,
            "MiniClusterChanged": lambda event: self._cluster_seen(event.item),
            "MiniClusterGone": lambda event: self._cluster_gone(event.uid, event.at),
            "MiniClusterMoved": lambda event: self._cluster_moved(event.uid, event.to),
            "PodsListed": lambda event: self._read("pods", self._workload.list_pods(event.items)),
            "PodChanged": lambda event: self._pods_touched(self._workload.put_pod(event.item)),
            "PodGone": lambda event: self._pods_touched(self._workload.drop_pod(event.uid)),
            "KubeJobsListed": lambda event: self._read(
                "jobs", self._workload.list_jobs(event.items)
            ),
            "KubeJobChanged": lambda event: self._pods_touched(self._workload.put_job(event.item)),
            "KubeJobGone": lambda event: self._pods_touched(self._workload.drop_job(event.uid)),
            "KubeEventSeen": self._kube_event_seen,
            "ServerClockSeen": self._server_clock_seen,
            "BrokerSeen": self._broker_seen,
            "QueuesSeen": self._queues_seen,
            "CountsSeen": self._counts_seen,
            "JobsListed": self._jobs_listed,
            "JobsChanged": self._jobs_changed,
            "CatalogSeen": self._catalog_seen,
            "GuardSeen": self._guard_seen,
            "BrokerInsideSeen": self._broker_inside_seen,
        }
        self._now = 0.0
        self._server_clock: e.ServerClockSeen | None = None

    def take(self, event: e.StoreEvent) -> None:
        """Take one event. What it refers to but is not known is kept out, never guessed."""
        self._now = max(self._now, event.at)
        self._handlers[type(event).__name__](event)
        if self.on_dirty is not None and (self._changes or self._stale_summaries):
            self.on_dirty()

    def tick(self, now: float) -> None:
        """Let time pass: phases that depend on it are derived again."""
        self._now = max(self._now, now)
        for picture in self.clusters.values():
            picture.sample(now)
        self._touch(self.clusters)
        self._refresh_summaries()
        if self.on_dirty is not None and self._changes:
            self.on_dirty()

    def take_changes(self) -> Changes:
        """What changed since the last call. Only here summaries go: who shows them hears of it."""
        self._refresh_summaries()
        self._forget_replaced()
        changes, self._changes = self._changes, Changes()
        return changes

    def server_now(self, now: float) -> float:
        """The API server's time when ours is `now`: its objects and events are dated by that."""
        seen = self._server_clock
        if seen is None:
            return now
        return now + seen.offset + (now - seen.at) * (seen.rate - 1)

    def source(self, name: str) -> Source | None:
        """The source of that name, or None if it never said anything."""
        return self.sources.get(name)

    def pods_of(self, uid: str) -> tuple[Pod, ...]:
        """The pods of one MiniCluster, by index, helpers last."""
        return self._workload.pods_of(uid)

    def events_of(self, uid: str) -> list[KubeEvent]:
        """Kubernetes events of one MiniCluster, its Job and its pods, newest first."""
        objects = self._workload.object_uids(uid) | {uid}
        found = [event for owner in objects for event in self._events.get(owner, {}).values()]
        return sorted(found, key=lambda event: event.last_seen, reverse=True)

    def diagnosis_of(self, uid: str) -> Diagnosis | None:
        """What is wrong with it, by what is watched: no logs, and no claims. None if it is gone."""
        from fluxstate_tui.diagnosis.diagnose import diagnose
        from fluxstate_tui.diagnosis.evidence import Evidence

        picture = self.clusters.get(uid)
        if picture is None or picture.gone_at is not None or self._is_unread(picture):
            return None
        sources = (self.sources.get(name) for name in ("jobs", "pods", "events"))
        jobs, pods, events = (
            one is None or one.freshness is not Freshness.FORBIDDEN for one in sources
        )
        queue = self.sources.get(queue_source(uid))
        answers = queue is None or queue.freshness in _ASKED
        asked = answers and picture.queues_at is not None
        evidence = Evidence(
            picture.minicluster,
            self.server_now(self._now),
            self._workload.job_of(picture.ref),
            self._workload.pods_of(uid),
            may_list=jobs and pods,
            events=tuple(self.events_of(uid)) if events else None,
            broker_state=picture.broker.state if picture.broker else None,
            queues=picture.queues if asked else None,
            nodes=picture.nodes if asked else None,
            broker=picture.inside if asked else None,
            asked=self._asked_before(picture, queue),
        )
        return diagnose(evidence, self.silenced)

    def _asked_before(self, picture: ClusterPicture, queue: Source | None) -> float | None:
        """When its broker was asked last, by the API server's clock; None while it is watched."""
        asleep = queue is not None and queue.freshness is Freshness.ASLEEP
        return self.server_now(picture.queues_at) if asleep and picture.queues_at else None

    def _evidence_changed(self, uids: Iterable[str]) -> None:
        """Of these another diagnosis is due, and another summary."""
        known = [uid for uid in uids if uid in self.clusters]
        self.undiagnosed.update(known)
        self._touch(known)

    def _touch(self, uids: Iterable[str]) -> None:
        self._stale_summaries.update(uid for uid in uids if uid in self.clusters)

    def _refresh_summaries(self) -> None:
        for uid in self._stale_summaries:
            picture = self.clusters.get(uid)
            if picture is None:
                continue
            summary = self._summary_of(picture)
            if self.summaries.get(uid) != summary:
                self.summaries[uid] = summary
                self._changes.summaries.add(uid)
        self._stale_summaries.clear()

    def _summary_of(self, picture: ClusterPicture) -> Summary:
        uid = picture.ref.uid
        pods = self._workload.pods_of(uid)
        minicluster = picture.minicluster
        now = self.server_now(self._now)
        if picture.gone_at is not None:
            gone = now - (self._now - picture.gone_at)
            minicluster = replace(minicluster, deleting_since=gone)
        if self._derive is None:
            # Imported with the first MiniCluster: an empty store is on the screen before that.
            from fluxstate_tui.minicluster.phase import derive

            self._derive = derive
        queue, jobs = self.sources.get(queue_source(uid)), self.sources.get("jobs")
        if self._is_unread(picture):
            return summarize(picture, _reading(), pods, queue, ahead=now - self._now)
        derived = self._derive(
            minicluster,
            self._workload.job_of(picture.ref),
            pods,
            picture.broker.state if picture.broker else None,
            picture.queues,
            now,
            events=self.events_of(uid),
            nodes=picture.nodes,
            access=broker_access(picture, queue),
            stuck=picture.stuck(picture.cluster_now(self._now)),
            job_known=jobs is None or jobs.freshness is not Freshness.FORBIDDEN,
        )
        return summarize(picture, derived, pods, queue, ahead=now - self._now)

    def _is_unread(self, picture: ClusterPicture) -> bool:
        """Its pods or its Job were never listed yet: nothing is known to be missing."""
        if picture.gone_at is not None or picture.minicluster.deleting_since is not None:
            return False
        known = (self.sources.get(name) for name in self._unread)
        return any(one is not None and one.freshness is Freshness.CONNECTING for one in known)

    def _read(self, what: str, touched: set[str]) -> None:
        if what in self._unread:
            self._unread.discard(what)
            self._evidence_changed(self.clusters)
        self._pods_touched(touched)

    def _source_changed(self, event: e.SourceChanged) -> None:
        known = self.sources.get(event.source)
        since = event.at
        if known is not None and known.freshness is event.freshness:
            since = known.since
        self.sources[event.source] = Source(event.source, event.freshness, event.detail, since)
        self._changes.sources = True
        turned = known is None or known.freshness is not event.freshness
        if turned and event.source in ("pods", "jobs", "events"):
            self.undiagnosed.update(self.clusters)  # they are seen now, or not any more
        if event.source in self._unread:
            self._touch(self.clusters)
        _, uid = parts_of_source(event.source)
        if uid:
            self._touch([uid])
            if turned:
                self._broker_turned(uid, event.freshness)
        elif event.source == "jobs" and turned:
            self._touch(self.clusters)  # what no Job means depends on whether they may be listed

    def _broker_turned(self, uid: str, freshness: Freshness) -> None:
        """It answers now, or not any more; then the next one may be another broker."""
        picture = self.clusters.get(uid)
        if picture is not None and freshness not in _ASKED:
            picture.inside = None
        self.undiagnosed.add(uid)

    def _clusters_listed(self, event: e.MiniClustersListed) -> None:
        listed = {item.ref.uid for item in event.items}
        for uid in [uid for uid in self.clusters if uid not in listed]:
            self._cluster_gone(uid, event.at)
        for item in event.items:
            self._cluster_seen(item)

    def _cluster_seen(self, item: MiniCluster) -> None:
        picture = self.clusters.get(item.ref.uid)
        if picture is None:
            # Imported with the first MiniCluster, like the rule: not before the first paint.
            from fluxstate_tui.live.picture import ClusterPicture

            picture = self.clusters[item.ref.uid] = ClusterPicture(item.ref, item)
            self._workload.name_cluster(item.ref)
            self._inherit_archives(picture)
        picture.minicluster = item
        picture.gone_at = None
        self._evidence_changed([item.ref.uid])

    def _cluster_gone(self, uid: str, at: float) -> None:
        picture = self.clusters.get(uid)
        if picture is not None and picture.gone_at is None:
            picture.gone_at = at
            self._evidence_changed([uid])

    def _cluster_moved(self, uid: str, to: str) -> None:
        picture = self.clusters.get(uid)
        if picture is not None:
            picture.moved_to = to
            self._touch([uid])

    def _inherit_archives(self, picture: ClusterPicture) -> None:
        """A MiniCluster made anew under the same name finds its catalog on the same volume."""
        for other in self.clusters.values():
            if str(other.ref) == str(picture.ref) and other is not picture and other.catalog:
                picture.catalog, picture.catalog_at = other.catalog, other.catalog_at

    def _forget_replaced(self) -> None:
        living = {str(p.ref) for p in self.clusters.values() if p.gone_at is None}
        for uid, picture in list(self.clusters.items()):
            replaced = picture.gone_at is not None and str(picture.ref) in living
            if replaced and not self._workload.pods_of(uid):
                del self.clusters[uid]
                self.undiagnosed.add(uid)
                self.summaries.pop(uid, None)
                self.sources.pop(queue_source(uid), None)
                self.sources.pop(catalog_source(uid), None)
                self._changes.summaries.add(uid)

    def _pods_touched(self, uids: set[str]) -> None:
        self._changes.pods |= uids
        self._evidence_changed(uids)

    def _kube_event_seen(self, event: e.KubeEventSeen) -> None:
        item = event.item
        known = self._event_owners.pop(item.uid, None)
        if known is not None:
            self._events[known].pop(item.uid, None)
        self._event_owners[item.uid] = item.object_uid
        self._events.setdefault(item.object_uid, {})[item.uid] = item
        if len(self._event_owners) > MAX_EVENTS:
            oldest = next(iter(self._event_owners))
            self._events[self._event_owners.pop(oldest)].pop(oldest, None)
        self._changes.events = True
        self._evidence_changed(self._workload.clusters_of(item.object_uid))

    def _server_clock_seen(self, event: e.ServerClockSeen) -> None:
        self._server_clock = event
        self._touch(self.clusters)

    def _broker_seen(self, event: e.BrokerSeen) -> None:
        picture = self.clusters.get(event.cluster.uid)
        if picture is not None:
            if picture.broker is None or picture.broker.state != event.state:
                self.undiagnosed.add(event.cluster.uid)
            picture.broker = event
            self._changes.queues.add(event.cluster.uid)
            self._touch([event.cluster.uid])

    def _queues_seen(self, event: e.QueuesSeen) -> None:
        picture = self.clusters.get(event.cluster.uid)
        if picture is not None:
            picture.queues, picture.nodes = event.queues, event.nodes
            picture.queues_at = event.at
            self._changes.queues.add(event.cluster.uid)
            self._evidence_changed([event.cluster.uid])

    def _counts_seen(self, event: e.CountsSeen) -> None:
        picture = self.clusters.get(event.cluster.uid)
        if picture is not None:
            picture.count_jobs(event)
            self._touch([event.cluster.uid])

    def _jobs_listed(self, event: e.JobsListed) -> None:
        picture = self.clusters.get(event.cluster.uid)
        if picture is not None:
            picture.list_jobs(event.jobs, event.at)
            self._changes.add_jobs(event.cluster.uid, None)
            self._touch([event.cluster.uid])

    def _jobs_changed(self, event: e.JobsChanged) -> None:
        picture = self.clusters.get(event.cluster.uid)
        if picture is not None:
            picture.change_jobs(event.jobs, event.at)
            self._changes.add_jobs(event.cluster.uid, (job.id for job in event.jobs))
            self._touch([event.cluster.uid])

    def _catalog_seen(self, event: e.CatalogSeen) -> None:
        picture = self.clusters.get(event.cluster.uid)
        if picture is not None:
            picture.catalog, picture.armed = event.entries, event.armed
            picture.catalog_at = event.at
            self._changes.catalogs.add(event.cluster.uid)
            self._touch([event.cluster.uid])

    def _guard_seen(self, event: e.GuardSeen) -> None:
        picture = self.clusters.get(event.cluster.uid)
        if picture is not None:
            picture.guard = event
            self._changes.guards.add(event.cluster.uid)

    def _broker_inside_seen(self, event: e.BrokerInsideSeen) -> None:
        picture = self.clusters.get(event.cluster.uid)
        if picture is not None and picture.inside != event.view:
            picture.inside = event.view
            self._evidence_changed([event.cluster.uid])


def _reading() -> Derived:
    from fluxstate_tui.minicluster.minicluster import Derived, Phase

    return Derived(Phase.READING, "Its pods are being read.")


# Change notices for the screens: one per interval at most, none when nothing changes.

Listener = Callable[[Changes], None]


class Notices:
    """Tells listeners what changed. The first change after a quiet time is told at once.

    `interval` is in seconds: bursts are coalesced into one notice per interval, so a thousand
    events cost one repaint. Must be used inside a running event loop.
    """

    def __init__(self, store: Store, interval: float = 0.15) -> None:
        self._store = store
        self._interval = interval
        self._listeners: list[Listener] = []
        self._pending: asyncio.TimerHandle | None = None
        self._last = float("-inf")
        store.on_dirty = self._wake

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every notice until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def __len__(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def close(self) -> None:
        """Tell nobody anything any more."""
        self._store.on_dirty = None
        if self._pending is not None:
            self._pending.cancel()

    def _wake(self) -> None:
        if self._pending is None:
            loop = asyncio.get_running_loop()
            due = max(loop.time(), self._last + self._interval)
            self._pending = loop.call_at(due, self._tell)

    def _tell(self) -> None:
        self._pending = None
        self._last = asyncio.get_running_loop().time()
        changes = self._store.take_changes()
        if changes:
            for listener in tuple(self._listeners):
                listener(changes)
