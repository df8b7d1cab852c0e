"""The helper pod: on the right volume, never in the operator's way, and it ends by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.catalog.helper_pod import DEADLINE_SECONDS, HelperPod, pod_for, why_not_running
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.objects import PODS
from fluxstate_tui.sim.server import SimulatedCluster
from tests.unit.operations.builders import manifest


def test_it_has_the_volume_of_the_archives_and_the_image_of_the_minicluster() -> None:
    pod = pod_for(manifest(), "abc")
    (container,) = pod["spec"]["containers"]
    assert container["image"] == "rockylinux:9"
    assert container["volumeMounts"] == [{"name": "archives", "mountPath": "/state"}]
    assert pod["spec"]["volumes"] == [
        {"name": "archives", "hostPath": {"path": "/data", "type": "Directory"}}
    ]


def test_a_claim_is_mounted_as_a_claim() -> None:
    container = {"image": "x", "volumes": {"data": {"path": "/state", "claimName": "data"}}}
    pod = pod_for(manifest(containers=[container]), "abc")
    assert pod["spec"]["volumes"][0]["persistentVolumeClaim"] == {"claimName": "data"}


def test_it_has_a_label_as_the_operator_chokes_on_pods_without_any() -> None:
    assert pod_for(manifest(), "abc")["metadata"]["labels"]


def test_it_ends_by_itself() -> None:
    assert pod_for(manifest(), "abc")["spec"]["activeDeadlineSeconds"] == DEADLINE_SECONDS


def test_it_goes_where_the_minicluster_went() -> None:
    wish = {"nodeSelector": {"disk": "local"}, "tolerations": [{"key": "hpc"}]}
    spec = pod_for(manifest(pod=wish), "abc")["spec"]
    assert {key: spec[key] for key in wish} == wish


def test_a_volume_that_only_the_minicluster_can_mount_is_an_error() -> None:
    container = {"image": "x", "volumes": {"data": {"path": "/state", "secretName": "s"}}}
    with pytest.raises(FluxstateError, match="cannot be reached"):
        pod_for(manifest(containers=[container]), "abc")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]}, ""),
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}]},
            "ErrImagePull",
        ),
        ({"conditions": [{"status": "False", "message": "no node fits"}]}, "no node fits"),
        ({}, "Pending"),
    ],
)
def test_why_it_does_not_run_yet_is_said(status: dict[str, Any], words: str) -> None:
    assert why_not_running({"status": status}) == words


def test_one_that_ended_is_not_waited_for() -> None:
    with pytest.raises(FluxstateError, match="Evicted"):
        why_not_running({"status": {"phase": "Failed", "message": "Evicted"}})


@pytest.mark.parametrize("kind", ["drop", "lost-answer"])
async def test_a_broken_connection_leaves_neither_none_nor_two(
    sim: SimulatedCluster, context: OperationContext, kind: str
) -> None:
    sim.put_file("/data", "archive.tar.gz", b"x")
    sim.faults.add(kind, method="POST", path="/pods")
    helper = await HelperPod.start(context, manifest())
    assert sim.faults.active == []
    pods = await context.cluster.list(PODS, "default")
    assert [pod["metadata"]["name"] for pod in pods] == [helper.name]
    await helper.remove()
    assert await context.cluster.list(PODS, "default") == []


async def test_a_cancel_while_it_is_asked_for_leaves_no_pod_behind(
    sim: SimulatedCluster, context: OperationContext
) -> None:
    sim.put_file("/data", "archive.tar.gz", b"x")
    starting = asyncio.create_task(HelperPod.start(context, manifest()))

    async def leave(method: str, path: str) -> None:
        if method == "POST" and path.endswith("/pods"):
            starting.cancel()

    sim.faults.gate = leave
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert await context.cluster.list(PODS, "default") == []


def test_beside_other_containers_the_image_and_the_volume_are_those_of_the_one_that_runs_flux() -> (
    None
):
    mine = {"path": "/state", "hostPath": "/data"}
    theirs = {"path": "/state", "hostPath": "/elsewhere"}
    containers = [
        {"image": "sidecar:1", "volumes": {"data": theirs}},
        {"image": "flux:1", "runFlux": True, "volumes": {"data": mine}},
    ]
    spec = pod_for(manifest(containers=containers), "abc")["spec"]
    assert spec["containers"][0]["image"] == "flux:1"
    assert spec["volumes"][0]["hostPath"]["path"] == "/data"
