"""Keeps the store's picture of MiniClusters, pods, Jobs and events up to date."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from fluxstate_tui.clock import Clock
from fluxstate_tui.kube.client import ListQuery
from fluxstate_tui.kube.errors import CannotConnect, CrdMissing, KubeError
from fluxstate_tui.kube.objects import (
    EVENTS,
    JOBS,
    PODS,
    Resource,
    parse_event,
    parse_job,
    parse_minicluster,
    parse_pod,
)
from fluxstate_tui.kube.watch import (
    Backoff,
    Changed,
    Deleted,
    Listed,
    ListWatch,
    StateChanged,
    WatchEvent,
    WatchState,
    sentence,
)
from fluxstate_tui.live import events as told
from fluxstate_tui.live.events import ServerClockSeen, SourceChanged, StoreEvent
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.minicluster.minicluster import MiniCluster
from fluxstate_tui.minicluster.objects import KubeEvent, KubeJob, Pod
from fluxstate_tui.tasks import Pause

if TYPE_CHECKING:
    from fluxstate_tui.kube.client import Cluster


# Each kind of object that is watched: how its events look in the store.

Object = dict[str, Any]
Emit = Callable[[told.StoreEvent], None]
Item = TypeVar("Item")


class Source(Protocol[Item]):
    """What one list+watch says, told to the store."""

    name: str

    def read(self, raw: Object) -> Item:
        """An object as the model has it."""
        ...

    def listed(self, items: Sequence[Item], at: float) -> None:
        """The complete set."""
        ...

    def changed(self, item: Item, at: float) -> None:
        """One object was added or changed."""
        ...

    def deleted(self, item: Item, at: float) -> None:
        """One object is gone."""
        ...


@dataclass
class MiniClusterSource:
    """MiniClusters."""

    emit: Emit
    name: str = "miniclusters"

    def read(self, raw: Object) -> MiniCluster:
        """An object as the model has it."""
        return parse_minicluster(raw)

    def listed(self, items: Sequence[MiniCluster], at: float) -> None:
        """The complete set."""
        self.emit(told.MiniClustersListed(tuple(items), at))

    def changed(self, item: MiniCluster, at: float) -> None:
        """One MiniCluster was added or changed."""
        self.emit(told.MiniClusterChanged(item, at))

    def deleted(self, item: MiniCluster, at: float) -> None:
        """One MiniCluster is gone."""
        self.emit(told.MiniClusterGone(item.ref.uid, at))


@dataclass
class Links:
    """Which Job belongs to which MiniCluster, and the pods that wait to be told.

    A Job's link is kept after the Job is gone: its pods linger for half a minute.
    """

    cluster_of_job: dict[str, str] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)

    def cluster_of(self, pod: Pod) -> str:
        """The uid of the pod's MiniCluster, '' as long as its Job is not known."""
        return self.cluster_of_job.get(pod.owner_uid, "")

    def learn(self, job_uid: str, cluster_uid: str) -> list[Pod]:
        """Take in a Job; returns the pods that are linked by it only now."""
        if not cluster_uid or self.cluster_of_job.get(job_uid) == cluster_uid:
            return []
        self.cluster_of_job[job_uid] = cluster_uid
        late = [pod for pod in self.pods.values() if pod.owner_uid == job_uid]
        linked = [replace(pod, cluster_uid=cluster_uid) for pod in late]
        self.pods.update((pod.uid, pod) for pod in linked)
        return linked


@dataclass
class PodSource:
    """Pods, each with the MiniCluster that it belongs to."""

    emit: Emit
    links: Links
    name: str = "pods"

    def read(self, raw: Object) -> Pod:
        """An object as the model has it."""
        return parse_pod(raw)

    def listed(self, items: Sequence[Pod], at: float) -> None:
        """The complete set."""
        pods = tuple(map(self._linked, items))
        self.links.pods = {pod.uid: pod for pod in pods}
        self.emit(told.PodsListed(pods, at))

    def changed(self, item: Pod, at: float) -> None:
        """One pod was added or changed."""
        pod = self._linked(item)
        self.links.pods[pod.uid] = pod
        self.emit(told.PodChanged(pod, at))

    def deleted(self, item: Pod, at: float) -> None:
        """One pod is gone."""
        self.links.pods.pop(item.uid, None)
        self.emit(told.PodGone(item.uid, at))

    def _linked(self, pod: Pod) -> Pod:
        return replace(pod, cluster_uid=self.links.cluster_of(pod))


@dataclass
class JobSource:
    """Kubernetes Jobs; they tell which pods belong to which MiniCluster."""

    emit: Emit
    links: Links
    name: str = "jobs"

    def read(self, raw: Object) -> KubeJob:
        """An object as the model has it."""
        return parse_job(raw)

    def listed(self, items: Sequence[KubeJob], at: float) -> None:
        """The complete set."""
        self.emit(told.KubeJobsListed(tuple(items), at))
        for job in items:
            self._link(job.uid, job.owner_uid, at)

    def changed(self, item: KubeJob, at: float) -> None:
        """One Job was added or changed."""
        self.emit(told.KubeJobChanged(item, at))
        self._link(item.uid, item.owner_uid, at)

    def deleted(self, item: KubeJob, at: float) -> None:
        """One Job is gone."""
        self.emit(told.KubeJobGone(item.uid, at))

    def _link(self, job_uid: str, cluster_uid: str, at: float) -> None:
        for pod in self.links.learn(job_uid, cluster_uid):
            self.emit(told.PodChanged(pod, at))


@dataclass
class EventSource:
    """Kubernetes events. They are history: none is ever taken back."""

    emit: Emit
    name: str = "events"
    _seen: dict[str, KubeEvent] = field(default_factory=dict)

    def read(self, raw: Object) -> KubeEvent:
        """An object as the model has it."""
        return parse_event(raw)

    def listed(self, items: Sequence[KubeEvent], at: float) -> None:
        """The complete set; what was told already is not told again."""
        for item in items:
            self.changed(item, at)

    def changed(self, item: KubeEvent, at: float) -> None:
        """One event was seen or counted again."""
        if self._seen.get(item.uid) != item:
            self._seen[item.uid] = item
            self.emit(told.KubeEventSeen(item, at))

    def deleted(self, item: KubeEvent, at: float) -> None:
        """The API server forgets events after an hour; so do we what we remember of them."""
        self._seen.pop(item.uid, None)


# Tells the store how the API server's clock goes, so that ages are right by it.

TOLERANCE = 1.0  # seconds: the `Date` header has no fractions
_SAMPLES = 6
_SHORTEST_BASE = 5.0  # seconds between two samples for a rate
_REAL_DRIFT = 0.2  # less is the header's coarseness, not a clock that runs at another speed


class ServerTime:
    """Follows the offset (server's clock minus ours, seconds); tells only what is news."""

    def __init__(self, emit: Callable[[StoreEvent], None]) -> None:
        self._emit = emit
        self._samples: deque[tuple[float, float]] = deque(maxlen=_SAMPLES)
        self._told: ServerClockSeen | None = None

    def seen(self, offset: float, at: float) -> None:
        """The offset as it was at `at` (our clock)."""
        self._samples.append((at, offset))
        news = ServerClockSeen(offset, self._rate(), at)
        told = self._told
        if told is not None and told.rate == news.rate:
            expected = told.offset + (at - told.at) * (told.rate - 1)
            if abs(offset - expected) <= TOLERANCE:
                return
        self._told = news
        self._emit(news)

    @property
    def settled(self) -> bool:
        """It goes as ours does, as far as can be seen: it need not be asked for any more."""
        return len(self._samples) == _SAMPLES and self._rate() == 1.0

    def _rate(self) -> float:
        """How many of its seconds pass in one of ours: not 1 only in a simulation."""
        (first_at, first), (last_at, last) = self._samples[0], self._samples[-1]
        if last_at - first_at < _SHORTEST_BASE:
            return 1.0
        drift = (last - first) / (last_at - first_at)
        return 1.0 if abs(drift) < _REAL_DRIFT else round(1 + drift, 1)


HEARTBEAT_SECONDS = 10.0
QUIET_SECONDS = 30.0
"""Where nobody says anything, as only watches are open, it is asked so seldom."""


class Watch(Protocol):
    """A list+watch, of whatever objects."""

    def suspect(self, error: KubeError) -> None:
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
        (ARCHITECTURE.md#F82), and back-off alone may sleep half a minute too long. A broker that
        is listened to says something every 3 s: while that comes, nothing has to be asked.
        """
        gone, asked = False, float("-inf")
        while True:
            await self._clock.sleep(HEARTBEAT_SECONDS)
            now, heard = self._clock.now(), self._cluster.heard_at
            if not gone and self._server_time.settled:
                fell_silent = asked <= heard <= now - HEARTBEAT_SECONDS
                if not fell_silent and now - max(asked, heard) < QUIET_SECONDS:
                    continue
            asked = now
            try:
                await self._cluster.request("GET", "/version")
            except CannotConnect as error:
                gone = True
                for watch in self._watches:
                    watch.suspect(error)
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


# How the clock of a cluster goes, seen from ours: `offset` and `rate`, from its heartbeats.

_CLUSTER_CLOCK_SAMPLES = 20
_SPAN = 5.0  # seconds of ours; below, a rate would be noise
_JITTER = 2.0  # seconds that messages may be late; clocks this close go at the same rate


class ClusterClock:
    """A message is always late, never early: so the largest difference is the truest."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=_CLUSTER_CLOCK_SAMPLES)

    def heard(self, theirs: float, ours: float) -> tuple[float, float]:
        """A message with their time arrived at our time: (offset in seconds, rate) now."""
        self._samples.append((theirs, ours))
        rate = self._rate()
        if rate == 1.0:
            return max(theirs - ours for theirs, ours in self._samples), rate
        return theirs - ours, rate

    def _rate(self) -> float:
        theirs, ours = self._samples[0]
        last_theirs, last_ours = self._samples[-1]
        our_span, their_span = last_ours - ours, last_theirs - theirs
        if our_span < _SPAN or their_span <= 0 or abs(their_span - our_span) < _JITTER:
            return 1.0
        return their_span / our_span
