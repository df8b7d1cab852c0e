"""Which pods and Kubernetes Jobs belong to which MiniCluster: by owner uid, never by prefix."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fluxstate_tui.minicluster.minicluster import ClusterRef
    from fluxstate_tui.minicluster.objects import KubeJob, Pod


class Workload:
    """Pods and Jobs with an index by MiniCluster. Every change returns the uids it touched.

    A pod's owner is the Job, the Job's owner the MiniCluster. Where the right to list Jobs is
    missing, the Job's name is the MiniCluster's name (ARCHITECTURE.md#F58).
    """

    def __init__(self) -> None:
        self._pods: dict[str, Pod] = {}
        self._jobs: dict[str, KubeJob] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._named: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._job_owners: dict[str, str] = {}
        self._jobs_of: dict[str, dict[str, KubeJob]] = defaultdict(dict)
        self._by_cluster: dict[str, dict[str, Pod]] = defaultdict(dict)

    def name_cluster(self, ref: ClusterRef) -> None:
        """Learn which uid a name stands for, for pods whose Job is not known."""
        name = (ref.namespace, ref.name)
        pods = self._named.get(name, ())
        self._unindex(pods)
        self._names[name] = ref.uid
        self._index(pods)

    def pods_of(self, uid: str) -> tuple[Pod, ...]:
        """Pods of one MiniCluster by completion index; helper pods (no index) come last."""
        found = self._by_cluster.get(uid, {}).values()
        return tuple(sorted(found, key=lambda p: (p.index is None, p.index or 0, p.created)))

    def job_of(self, ref: ClusterRef) -> KubeJob | None:
        """The Indexed Job of one MiniCluster."""
        return next(iter(self._jobs_of.get(ref.uid, {}).values()), None)

    def object_uids(self, uid: str) -> set[str]:
        """Uids of the Job and the pods of one MiniCluster."""
        return {*self._jobs_of.get(uid, ()), *self._by_cluster.get(uid, ())}

    def clusters_of(self, object_uid: str) -> set[str]:
        """Uids of the MiniClusters that an object belongs to, itself included."""
        pod = self._pods.get(object_uid)
        found = {object_uid, self._job_owners.get(object_uid, "")}
        return found | ({self._owner(pod)} if pod is not None else set())

    def list_pods(self, pods: Iterable[Pod]) -> set[str]:
        """Replace all pods."""
        before = set(self._by_cluster)
        self._pods.clear()
        self._named.clear()
        self._by_cluster.clear()
        for pod in pods:
            self.put_pod(pod)
        return before | set(self._by_cluster)

    def put_pod(self, pod: Pod) -> set[str]:
        """Add or change one pod."""
        touched = self.drop_pod(pod.uid)
        self._pods[pod.uid] = pod
        self._named[(pod.namespace, pod.owner_name)].add(pod.uid)
        owner = self._owner(pod)
        self._by_cluster[owner][pod.uid] = pod
        return touched | {owner}

    def drop_pod(self, uid: str) -> set[str]:
        """Forget one pod."""
        pod = self._pods.pop(uid, None)
        if pod is None:
            return set()
        self._named[(pod.namespace, pod.owner_name)].discard(uid)
        owner = self._owner(pod)
        self._by_cluster[owner].pop(uid, None)
        return {owner}

    def list_jobs(self, jobs: Iterable[KubeJob]) -> set[str]:
        """Replace all Kubernetes Jobs."""
        before = {job.owner_uid for job in self._jobs.values()}
        self._jobs.clear()
        self._jobs_of.clear()
        touched: set[str] = set()
        for job in jobs:
            touched |= self.put_job(job)
        return before | touched

    def put_job(self, job: KubeJob) -> set[str]:
        """Add or change one Kubernetes Job."""
        before = self._jobs.get(job.uid)
        if before is not None:
            self._jobs_of[before.owner_uid].pop(job.uid, None)
        self._jobs[job.uid] = job
        self._jobs_of[job.owner_uid][job.uid] = job
        touched = {job.owner_uid}
        if self._job_owners.get(job.uid) != job.owner_uid:
            pods = self._named.get((job.namespace, job.name), ())
            owned = [uid for uid in pods if self._pods[uid].owner_uid == job.uid]
            touched |= {self._owner(self._pods[uid]) for uid in owned}
            self._unindex(owned)
            self._job_owners[job.uid] = job.owner_uid
            self._index(owned)
        return touched

    def drop_job(self, uid: str) -> set[str]:
        """Forget one Kubernetes Job; its lingering pods keep their owner."""
        job = self._jobs.pop(uid, None)
        if job is None:
            return set()
        self._jobs_of[job.owner_uid].pop(uid, None)
        return {job.owner_uid}

    def _owner(self, pod: Pod) -> str:
        known = pod.cluster_uid or self._job_owners.get(pod.owner_uid)
        if known is not None:
            return known
        by_name = self._names.get((pod.namespace, pod.owner_name), "")
        return by_name or pod.owner_uid

    def _unindex(self, uids: Iterable[str]) -> None:
        for uid in uids:
            self._by_cluster[self._owner(self._pods[uid])].pop(uid, None)

    def _index(self, uids: Iterable[str]) -> None:
        for uid in uids:
            pod = self._pods[uid]
            self._by_cluster[self._owner(pod)][uid] = pod
