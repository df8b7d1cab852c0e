"""Objects as a real API server sent them become what the model knows."""

from __future__ import annotations

from typing import Any

from fluxstate_tui.kube.objects import epoch, parse_event, parse_job, parse_minicluster, parse_pod
from tests.unit.minicluster.making import recorded


def raw(kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        item for item in recorded()[kind] if item["metadata"]["name"].startswith(name)
    )
    return found


def test_a_recorded_minicluster_is_read() -> None:
    cluster = parse_minicluster(raw("miniclusters", "v-overmax"))
    assert (cluster.size, cluster.max_size, cluster.min_size) == (4, 2, None)
    assert cluster.api_version == "flux-framework.org/v1alpha2"
    assert (cluster.deleting_since, cluster.archive_path) == (None, "")
    ready = parse_minicluster(raw("miniclusters", "v-badimage"))
    assert ready.conditions["JobMiniClusterReady"] is True


def test_a_v1alpha1_minicluster_is_read() -> None:
    item = {
        "apiVersion": "flux-framework.org/v1alpha1",
        "kind": "MiniCluster",
        "metadata": {"name": "old", "namespace": "flux-operator", "uid": "u"},
        "spec": {
            "size": 4,
            "interactive": True,
            "archive": {"path": "/state/archive.tar.gz"},
            "volumes": {"data": {"storageClass": "hostpath", "path": "/tmp/data"}},
        },
    }
    cluster = parse_minicluster(item)
    assert (cluster.size, cluster.interactive) == (4, True)
    assert cluster.archive_path == "/state/archive.tar.gz"
    assert cluster.created == 0.0


def test_a_recorded_pod_is_tied_to_its_job_by_uid_and_has_its_index() -> None:
    job = parse_job(raw("jobs", "v-badimage"))
    cluster = parse_minicluster(raw("miniclusters", "v-badimage"))
    pods = [parse_pod(item) for item in recorded()["pods"]]
    mine = [pod for pod in pods if pod.owner_uid == job.uid]
    assert [pod.index for pod in mine] == [0, 1]
    assert job.owner_uid == cluster.ref.uid
    assert {pod.containers[0].reason for pod in mine} == {"ImagePullBackOff"}
    assert {pod.init[0].exit_code for pod in mine} == {0}


def test_the_operators_own_index_label_is_not_believed() -> None:
    """It says `v` for this pod: the operator labels by the text before the first dash."""
    item = raw("pods", "v-badview-1")
    assert item["metadata"]["labels"]["job-index"] == "v"
    assert parse_pod(item).index == 1


def test_the_index_may_stand_in_the_annotation_or_the_label() -> None:
    key = "batch.kubernetes.io/job-completion-index"
    base = {"name": "p", "namespace": "ns", "uid": "u"}
    assert parse_pod({"metadata": {**base, "annotations": {key: "3"}}}).index == 3
    assert parse_pod({"metadata": {**base, "labels": {key: "4"}}}).index == 4
    assert parse_pod({"metadata": {**base, "labels": {"job-index": "5"}}}).index is None


def test_an_owner_that_does_not_control_is_no_owner() -> None:
    base = {"name": "p", "namespace": "ns", "uid": "u"}
    references = [
        {"kind": "ConfigMap", "name": "c", "uid": "1"},
        {"kind": "Job", "name": "j", "uid": "2", "controller": True},
    ]
    pod = parse_pod({"metadata": {**base, "ownerReferences": references}})
    assert (pod.owner_uid, pod.owner_name) == ("2", "j")
    assert parse_pod({"metadata": {**base, "ownerReferences": references[:1]}}).owner_uid == ""


def test_an_unschedulable_pod_says_why() -> None:
    assert "Insufficient cpu" in parse_pod(raw("pods", "v-toobig-0")).unschedulable


def test_a_job_knows_how_it_ended() -> None:
    assert parse_job(raw("jobs", "v-completes")).complete
    late = parse_job(raw("jobs", "v-deadline"))
    assert late.failure == "DeadlineExceeded: Job was active longer than specified deadline"
    assert not parse_job(raw("jobs", "v-badimage")).complete


def test_events_are_read_in_the_old_and_the_new_form() -> None:
    events = [parse_event(item) for item in recorded()["events"]]
    scheduling = next(event for event in events if event.reason == "FailedScheduling")
    failed = next(event for event in events if event.reason == "DeadlineExceeded")
    assert (scheduling.kind, scheduling.count) == ("Pod", 1)
    assert scheduling.last_seen > 1_795_000_000
    assert (failed.kind, failed.name) == ("Job", "v-deadline")
    series = {
        "metadata": {"name": "e", "namespace": "ns", "uid": "u"},
        "series": {"count": 9, "lastObservedTime": "2026-11-21T21:00:00.123456Z"},
        "eventTime": "2026-11-21T20:00:00.000000Z",
    }
    assert (parse_event(series).count, parse_event(series).last_seen) == (9, 1795294800.123456)


def test_times_without_sense_are_no_times() -> None:
    assert epoch("2026-11-21T21:00:00Z") == 1795294800.0
    assert epoch("2026-11-21T22:00:00+01:00") == 1795294800.0
    assert (epoch(None), epoch(""), epoch("yesterday")) == (None, None, None)


def test_an_empty_object_is_read_without_a_fuss() -> None:
    bare = {"metadata": {"name": "x", "namespace": "ns", "uid": "u"}}
    assert parse_pod(bare).phase == "Pending"
    assert parse_job(bare).parallelism == 1
    assert parse_minicluster(bare).size == 1
    odd = {**bare, "spec": {"size": "three"}, "status": {"conditions": None}}
    assert parse_minicluster(odd).size == 1
