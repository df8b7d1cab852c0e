"""When a MiniCluster has no queue that could be lost, and when one may run unseen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fluxstate_tui.minicluster.objects import ContainerState, KubeJob, Pod
from fluxstate_tui.minicluster.phase import QueueEnd, queue_end
from tests.unit.minicluster.making import job, pod

OVER = (ContainerState("flux-sample", "terminated"),)
ENDED = [pod(index, phase="Succeeded", containers=OVER) for index in (0, 1)]
UNPLACED = [
    pod(index, phase="Pending", node="", containers=(), unschedulable="0/1 nodes")
    for index in (0, 1)
]


@pytest.mark.parametrize(
    ("its_job", "pods"),
    [
        (job(active=0, succeeded=2, complete=True), ENDED),
        (job(active=0, succeeded=2, complete=True), []),
        (job(active=0, failed=1), [replace(one, phase="Failed") for one in ENDED]),
    ],
)
def test_a_queue_ends_with_the_containers_that_were_seen_to_end(
    its_job: KubeJob, pods: list[Pod]
) -> None:
    assert queue_end(its_job, pods) is QueueEnd.ENDED


@pytest.mark.parametrize(
    ("its_job", "pods"), [(None, []), (job(active=0), []), (job(active=2), UNPLACED)]
)
def test_what_never_got_a_pod_on_a_node_never_had_a_queue(
    its_job: KubeJob | None, pods: list[Pod]
) -> None:
    assert queue_end(its_job, pods) is QueueEnd.NEVER_RAN


@pytest.mark.parametrize(
    ("its_job", "pods"),
    [
        (job(), [pod(0), pod(1)]),
        (job(active=1), [ENDED[0], pod(1)]),
        (job(active=1), [pod(0, deleting_since=1.0)]),
        # It failed for Kubernetes, as its node was not heard of any more.
        (job(active=0, failed=1), [pod(0, phase="Failed")]),
        (job(active=0, failed=1), [pod(0, phase="Failed", containers=())]),
        # An earlier pod was given up unseen; this one waits in its place.
        (job(active=2, failed=1), UNPLACED),
        (job(active=0, failed=1), []),
        (job(active=2), [pod(0, phase="Pending", containers=())]),
        (job(active=2), [pod(0, phase="Unknown")]),
    ],
)
def test_a_broker_that_may_run_unseen_keeps_the_guard(its_job: KubeJob, pods: list[Pod]) -> None:
    assert queue_end(its_job, pods) is None
