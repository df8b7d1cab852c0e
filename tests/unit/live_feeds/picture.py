"""What somebody who only hears the store's events believes about a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fluxstate_tui.live import events
from fluxstate_tui.minicluster.minicluster import Derived, MiniCluster
from fluxstate_tui.minicluster.objects import KubeJob, Pod
from fluxstate_tui.minicluster.phase import derive


@dataclass
class Picture:
    """A plain fold of the events, without the store's cleverness."""

    clusters: dict[str, MiniCluster] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    jobs: dict[str, KubeJob] = field(default_factory=dict)
    freshness: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def take(self, event: events.StoreEvent) -> None:
        """One event."""
        match event:
            case events.SourceChanged(source=source, freshness=freshness, detail=detail):
                self.freshness[source] = freshness.value
                self.details[source] = detail
                self.troubles += [detail] if self.freshness[source] == "stale" else []
            case events.MiniClustersListed(items=clusters):
                self.clusters = {cluster.ref.uid: cluster for cluster in clusters}
            case events.MiniClusterChanged(item=cluster):
                self.clusters[cluster.ref.uid] = cluster
            case events.MiniClusterGone(uid=uid):
                self.clusters.pop(uid, None)
            case events.PodsListed(items=pods):
                self.pods = {pod.uid: pod for pod in pods}
            case events.PodChanged(item=pod):
                self.pods[pod.uid] = pod
            case events.PodGone(uid=uid):
                self.pods.pop(uid, None)
            case events.KubeJobsListed(items=jobs):
                self.jobs = {job.uid: job for job in jobs}
            case events.KubeJobChanged(item=job):
                self.jobs[job.uid] = job
            case events.KubeJobGone(uid=uid):
                self.jobs.pop(uid, None)

    def named(self, name: str) -> MiniCluster | None:
        """A MiniCluster by name."""
        return next((c for c in self.clusters.values() if c.ref.name == name), None)

    def pods_of(self, uid: str) -> list[Pod]:
        """The pods of one MiniCluster."""
        return [pod for pod in self.pods.values() if pod.cluster_uid == uid]

    def phase(self, cluster: MiniCluster, now: float) -> Derived:
        """Its phase, as far as Kubernetes tells."""
        uid = cluster.ref.uid
        job = next((job for job in self.jobs.values() if job.owner_uid == uid), None)
        return derive(cluster, job, self.pods_of(uid), None, (), now)

    def live(self) -> bool:
        """True if every source is live."""
        return len(self.freshness) == 4 and set(self.freshness.values()) == {"live"}

    async def until(self, condition: Callable[[], Any], seconds: float = 60) -> None:
        """Wait for a condition on it."""
        async with asyncio.timeout(seconds):
            while True:
                if condition():
                    return
                await asyncio.sleep(0.005)
