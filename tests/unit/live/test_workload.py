"""Pods are tied to their MiniCluster by what the feed found out, not by names."""

from __future__ import annotations

from fluxstate_tui.live.workload import Workload
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.minicluster.objects import Pod


def pod(uid: str, cluster_uid: str) -> Pod:
    job = f"job-of-{cluster_uid}"
    return Pod(uid, "ns", uid, job, "same-name", 0, "Running", "n", 0.0, cluster_uid=cluster_uid)


def test_a_lingering_pod_stays_with_the_old_cluster_of_the_same_name() -> None:
    workload = Workload()
    workload.name_cluster(ClusterRef("ns", "same-name", "new"))
    workload.list_pods([pod("p-old", "old"), pod("p-new", "new")])
    assert [found.uid for found in workload.pods_of("new")] == ["p-new"]
    assert [found.uid for found in workload.pods_of("old")] == ["p-old"]
