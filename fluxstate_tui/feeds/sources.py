"""Each kind of object that is watched: how its events look in the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from fluxstate_tui.kube.objects import parse_event, parse_job, parse_minicluster, parse_pod
from fluxstate_tui.model.kubernetes import KubeEvent, KubeJob
from fluxstate_tui.model.minicluster import MiniCluster
from fluxstate_tui.model.pod import Pod
from fluxstate_tui.store import events as told

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
