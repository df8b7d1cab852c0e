"""Each kind of object that is watched: how its events look in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from fluxstate_tui.kube.objects import parse_event, parse_job, parse_minicluster, parse_pod
from fluxstate_tui.model.kubernetes import KubeEvent
from fluxstate_tui.model.pod import Pod
from fluxstate_tui.store import events as told

Object = dict[str, Any]
Emit = Callable[[told.StoreEvent], None]


class Source(Protocol):
    """What one list+watch says, told to the store."""

    name: str

    def listed(self, items: Iterable[Object], at: float) -> None:
        """The complete set."""
        ...

    def changed(self, item: Object, at: float) -> None:
        """One object was added or changed."""
        ...

    def deleted(self, item: Object, at: float) -> None:
        """One object is gone."""
        ...


@dataclass
class MiniClusterSource:
    """MiniClusters."""

    emit: Emit
    name: str = "miniclusters"

    def listed(self, items: Iterable[Object], at: float) -> None:
        """The complete set."""
        self.emit(told.MiniClustersListed(tuple(map(parse_minicluster, items)), at))

    def changed(self, item: Object, at: float) -> None:
        """One MiniCluster was added or changed."""
        self.emit(told.MiniClusterChanged(parse_minicluster(item), at))

    def deleted(self, item: Object, at: float) -> None:
        """One MiniCluster is gone."""
        self.emit(told.MiniClusterGone(item["metadata"]["uid"], at))


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

    def listed(self, items: Iterable[Object], at: float) -> None:
        """The complete set."""
        pods = tuple(self._parse(item) for item in items)
        self.links.pods = {pod.uid: pod for pod in pods}
        self.emit(told.PodsListed(pods, at))

    def changed(self, item: Object, at: float) -> None:
        """One pod was added or changed."""
        pod = self._parse(item)
        self.links.pods[pod.uid] = pod
        self.emit(told.PodChanged(pod, at))

    def deleted(self, item: Object, at: float) -> None:
        """One pod is gone."""
        uid = item["metadata"]["uid"]
        self.links.pods.pop(uid, None)
        self.emit(told.PodGone(uid, at))

    def _parse(self, item: Object) -> Pod:
        pod = parse_pod(item)
        return replace(pod, cluster_uid=self.links.cluster_of(pod))


@dataclass
class JobSource:
    """Kubernetes Jobs; they tell which pods belong to which MiniCluster."""

    emit: Emit
    links: Links
    name: str = "jobs"

    def listed(self, items: Iterable[Object], at: float) -> None:
        """The complete set."""
        jobs = tuple(map(parse_job, items))
        self.emit(told.KubeJobsListed(jobs, at))
        for job in jobs:
            self._link(job.uid, job.owner_uid, at)

    def changed(self, item: Object, at: float) -> None:
        """One Job was added or changed."""
        job = parse_job(item)
        self.emit(told.KubeJobChanged(job, at))
        self._link(job.uid, job.owner_uid, at)

    def deleted(self, item: Object, at: float) -> None:
        """One Job is gone."""
        self.emit(told.KubeJobGone(item["metadata"]["uid"], at))

    def _link(self, job_uid: str, cluster_uid: str, at: float) -> None:
        for pod in self.links.learn(job_uid, cluster_uid):
            self.emit(told.PodChanged(pod, at))


@dataclass
class EventSource:
    """Kubernetes events. They are history: none is ever taken back."""

    emit: Emit
    name: str = "events"
    _seen: dict[str, KubeEvent] = field(default_factory=dict)

    def listed(self, items: Iterable[Object], at: float) -> None:
        """The complete set; what was told already is not told again."""
        for item in items:
            self.changed(item, at)

    def changed(self, item: Object, at: float) -> None:
        """One event was seen or counted again."""
        event = parse_event(item)
        if self._seen.get(event.uid) != event:
            self._seen[event.uid] = event
            self.emit(told.KubeEventSeen(event, at))

    def deleted(self, item: Object, at: float) -> None:
        """The API server forgets events after an hour; so do we what we remember of them."""
        self._seen.pop(item["metadata"]["uid"], None)
