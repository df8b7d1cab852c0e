"""Pods are tied to their MiniCluster by what the feed found out, not by names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fluxstate_tui.live.workload import Workload
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.minicluster.objects import KubeJob, Pod


def pod(uid: str, cluster_uid: str) -> Pod:
    job = f"job-of-{cluster_uid}"
    return Pod(uid, "ns", uid, job, "same-name", 0, "Running", "n", 0.0, cluster_uid=cluster_uid)


def test_a_lingering_pod_stays_with_the_old_cluster_of_the_same_name() -> None:
    workload = Workload()
    workload.name_cluster(ClusterRef("ns", "same-name", "new"))
    workload.list_pods([pod("p-old", "old"), pod("p-new", "new")])
    assert [found.uid for found in workload.pods_of("new")] == ["p-new"]
    assert [found.uid for found in workload.pods_of("old")] == ["p-old"]


CLUSTERS = [ClusterRef("ns", name, f"uid-{name}") for name in ("a", "b")]


@given(st.lists(st.tuples(st.sampled_from("pjdDcLJ"), st.integers(0, 5)), max_size=40))
def test_whatever_comes_in_whatever_order_each_pod_is_with_its_owner(
    changes: list[tuple[str, int]],
) -> None:
    """The owner of a pod is its Job's owner; where no Job is known, the MiniCluster of its name."""
    workload = Workload()
    pods: dict[str, Pod] = {}
    jobs: dict[str, str] = {}
    names: dict[str, str] = {}
    for what, number in changes:
        cluster = CLUSTERS[number % 2]
        job = KubeJob(f"job-{number}", "ns", cluster.name, cluster.uid, 1, 1, 0, 0)
        one = Pod(f"p-{number}", "ns", "p", job.uid, cluster.name, number, "Running", "n", 0.0)
        if what == "p":
            workload.put_pod(one)
            pods[one.uid] = one
        elif what == "d":
            workload.drop_pod(one.uid)
            pods.pop(one.uid, None)
        elif what == "j":
            workload.put_job(job)
            jobs[job.uid] = job.owner_uid
        elif what == "D":
            workload.drop_job(job.uid)
        elif what == "c":
            workload.name_cluster(cluster)
            names[cluster.name] = cluster.uid
        elif what == "L":
            workload.list_pods(list(pods.values()))
        else:
            workload.list_jobs([job])
            jobs[job.uid] = job.owner_uid
        for cluster in CLUSTERS:
            mine = [
                pod.uid
                for pod in pods.values()
                if jobs.get(pod.owner_uid, names.get(pod.owner_name, "")) == cluster.uid
            ]
            assert {pod.uid for pod in workload.pods_of(cluster.uid)} == set(mine)
