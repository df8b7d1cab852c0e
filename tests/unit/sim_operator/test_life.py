"""A MiniCluster's life on the simulated cluster, as it was recorded on a real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fluxstate_tui.sim.api.deletion import delete
from fluxstate_tui.sim.api.kinds import CONFIGMAPS, JOBS, MINICLUSTERS, PODS, SERVICES
from fluxstate_tui.sim.api.store import Change
from tests.unit.sim_operator.conftest import NAMESPACE, MiniClusterClient

LIFE = Path(__file__).parents[2] / "data" / "kubernetes" / "minicluster_life.json"


def recorded() -> dict[str, list[dict[str, Any]]]:
    life: dict[str, list[dict[str, Any]]] = json.loads(LIFE.read_text())
    return life


def paths(value: Any, prefix: str = "") -> set[str]:
    """All field paths of an object; items of lists share one path."""
    if isinstance(value, dict):
        return {prefix} | {p for k, v in value.items() for p in paths(v, f"{prefix}.{k}")}
    if isinstance(value, list):
        return {prefix} | {p for v in value for p in paths(v, f"{prefix}[]")}
    return {prefix}


def same_as_recorded(world: MiniClusterClient) -> None:
    """The MiniCluster of the recording."""
    view = {"image": "registry.local/flux-view:12"}
    world.apply(
        {
            "apiVersion": "flux-framework.org/v1alpha2",
            "kind": "MiniCluster",
            "metadata": {"name": "mc-rec", "namespace": NAMESPACE},
            "spec": {
                "size": 2,
                "maxSize": 4,
                "minSize": 1,
                "interactive": True,
                "flux": {"container": view, "scheduler": {"simple": True}},
                "containers": [{"image": "registry.local/flux-app:12"}],
            },
        }
    )


async def test_a_minicluster_runs_7_to_15_seconds_after_apply(world: MiniClusterClient) -> None:
    world.minicluster()
    took = await world.until(world.broker_runs)
    assert 5 <= took <= 15
    log = world.log()
    assert "online: mc-[0-1] (ranks 0-1)" in log
    assert "quorum-full: quorum->run" in log


async def test_ready_is_true_long_before_any_pod_runs(world: MiniClusterClient) -> None:
    world.minicluster()

    def ready() -> bool:
        conditions = world.get().get("status", {}).get("conditions", [])
        return any(c["type"] == "JobMiniClusterReady" and c["status"] == "True" for c in conditions)

    took = await world.until(ready)
    assert took < 2
    assert all(pod["status"]["phase"] == "Pending" for pod in world.pods())
    assert world.get()["status"]["size"] == 0


async def test_pod_and_job_carry_the_recorded_fields(world: MiniClusterClient) -> None:
    same_as_recorded(world)
    await world.until(lambda: world.broker_runs("mc-rec"))
    life = recorded()
    theirs = next(
        e["object"] for e in life["pods"] if e["object"]["status"].get("phase") == "Running"
    )
    ours = next(p for p in world.pods("mc-rec") if p["metadata"]["name"].startswith("mc-rec-0"))
    missing = paths(theirs) - paths(ours)
    assert {p for p in missing if "volumeMounts" not in p and "resources" not in p} == set()
    assert paths(ours) - paths(theirs) == set()
    assert ours["spec"]["containers"] == theirs["spec"]["containers"] or (
        [c["name"] for c in ours["spec"]["containers"]]
        == [c["name"] for c in theirs["spec"]["containers"]]
    )
    assert ours["metadata"]["labels"].keys() == theirs["metadata"]["labels"].keys()
    job = life["jobs"][0]["object"]
    assert paths(job["spec"]) - paths(world.job("mc-rec")["spec"]) == set()


async def test_conditions_and_phases_come_in_the_recorded_order(world: MiniClusterClient) -> None:
    seen: list[Any] = []

    def note(change: Change) -> None:
        if change.kind == PODS and change.object["metadata"]["name"].startswith("mc-rec-0"):
            picture = shape(change.type, change.object)
            if not seen or seen[-1] != picture:
                seen.append(picture)

    def shape(kind: str, pod: dict[str, Any]) -> Any:
        status = pod["status"]
        states = [
            (s["name"], next(iter(s["state"])))
            for s in (
                *status.get("initContainerStatuses", []),
                *status.get("containerStatuses", []),
            )
        ]
        ready = [c["status"] for c in status.get("conditions", []) if c["type"] == "Ready"]
        gone = "deletionTimestamp" in pod["metadata"]
        return kind, status["phase"], states, ready, gone

    world.store.subscribe(note)
    same_as_recorded(world)
    await world.until(lambda: world.broker_runs("mc-rec"))
    owner = world.get("mc-rec")
    delete(world.store, MINICLUSTERS, owner, {})
    await world.until(lambda: not world.pods("mc-rec"))
    theirs: list[Any] = []
    for event in recorded()["pods"]:
        picture = shape(event["type"], event["object"])
        if not theirs or theirs[-1] != picture:
            theirs.append(picture)
    assert seen == theirs


async def test_pods_linger_half_a_minute_after_the_minicluster_is_gone(
    world: MiniClusterClient,
) -> None:
    world.minicluster()
    await world.until(world.broker_runs)
    delete(world.store, MINICLUSTERS, world.get(), {})
    await world.clock.advance(0.5)
    assert world.store.get(MINICLUSTERS, NAMESPACE, "mc") is None
    assert world.store.get(JOBS, NAMESPACE, "mc") is None
    assert world.store.get(SERVICES, NAMESPACE, "mc") is None
    assert world.store.get(CONFIGMAPS, NAMESPACE, "mc-entrypoint") is None
    assert [p["status"]["phase"] for p in world.pods()] == ["Running", "Running"]
    assert all("deletionTimestamp" in p["metadata"] for p in world.pods())
    took = await world.until(lambda: not world.pods())
    assert 30 <= took <= 34


async def test_size_above_max_size_or_zero_gets_no_status_at_all(world: MiniClusterClient) -> None:
    world.minicluster("zero", 0)
    world.minicluster("large", 4, maxSize=2)
    world.minicluster("x" * 60)
    await world.clock.advance(30)
    for name in ("zero", "large", "x" * 60):
        assert "status" not in world.get(name)
        assert world.store.get(CONFIGMAPS, NAMESPACE, f"{name}-entrypoint") is None


async def test_only_the_operators_own_log_tells_what_it_rejects(world: MiniClusterClient) -> None:
    container = {"image": "rockylinux:9", "volumes": {"data": {"path": "/state"}}}
    world.minicluster("nojob", containers=[container])
    world.minicluster("large", 4, maxSize=2)
    await world.clock.advance(30)
    pods = world.store.objects(PODS, "operator-system")
    assert pods[0]["metadata"]["labels"] == {"control-plane": "controller-manager"}
    name = pods[0]["metadata"]["name"]
    log = world.cluster.state.kubelet.log("operator-system", name, "manager", previous=False)
    assert log is not None
    text = "\n".join(line for _, line in log.lines)
    assert text.count("Failed to create new MiniCluster Batch Job") == 1
    assert text.count("Your MiniCluster config did not validate!") == 1
    assert "FailedCreate" not in world.reasons()


async def test_a_volume_with_only_a_path_leaves_config_map_and_service_but_no_job(
    world: MiniClusterClient,
) -> None:
    container = {"image": "rockylinux:9", "volumes": {"data": {"path": "/state"}}}
    world.minicluster(containers=[container])
    await world.clock.advance(30)
    assert world.store.get(CONFIGMAPS, NAMESPACE, "mc-entrypoint") is not None
    assert world.store.get(SERVICES, NAMESPACE, "mc") is not None
    assert world.store.get(JOBS, NAMESPACE, "mc") is None
    assert "status" not in world.get()


async def test_a_missing_claim_keeps_the_pods_unschedulable(world: MiniClusterClient) -> None:
    volume = {"d": {"path": "/d", "claimName": "nosuch"}}
    world.minicluster(containers=[{"image": "app", "volumes": volume}])
    await world.clock.advance(30)
    condition = world.pods()[0]["status"]["conditions"][0]
    assert condition["reason"] == "Unschedulable"
    assert condition["message"].startswith(
        '0/1 nodes are available: persistentvolumeclaim "nosuch" not found.'
    )
    assert "FailedScheduling" in world.reasons("mc-0")


async def test_a_request_for_too_many_cores_finds_no_node(world: MiniClusterClient) -> None:
    resources = {"requests": {"cpu": "64"}}
    world.minicluster(containers=[{"image": "app", "resources": resources}])
    await world.clock.advance(30)
    message = world.pods()[0]["status"]["conditions"][0]["message"]
    assert message.startswith("0/1 nodes are available: 1 Insufficient cpu.")


async def test_a_bad_image_backs_off_while_ready_stays_true(world: MiniClusterClient) -> None:
    world.minicluster(containers=[{"image": "registry.local/nope:1"}])
    await world.clock.advance(60)
    pod = world.pods()[0]
    assert pod["status"]["phase"] == "Pending"
    waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] in {"ImagePullBackOff", "ErrImagePull"}
    assert "no such host" in waiting["message"]
    assert {"Failed", "BackOff", "Pulling"} <= set(world.reasons("mc-0"))
    ready = {c["type"]: c["status"] for c in world.get()["status"]["conditions"]}
    assert ready["JobMiniClusterReady"] == "True"


async def test_a_host_path_that_is_no_directory_fails_to_mount(world: MiniClusterClient) -> None:
    volume = {"d": {"path": "/d", "hostPath": "/nowhere"}}
    world.minicluster(containers=[{"image": "app", "volumes": volume}])
    await world.clock.advance(20)
    assert "FailedMount" in world.reasons("mc-0")


async def test_a_passed_deadline_fails_the_job_but_not_the_minicluster(
    world: MiniClusterClient,
) -> None:
    world.minicluster(deadlineSeconds=20)
    await world.clock.advance(90)
    conditions = world.job()["status"]["conditions"]
    assert [c["type"] for c in conditions] == ["FailureTarget", "Failed"]
    assert {c["reason"] for c in conditions} == {"DeadlineExceeded"}
    ready = {c["type"]: c["status"] for c in world.get()["status"]["conditions"]}
    assert ready["JobMiniClusterReady"] == "True"


async def test_a_label_less_pod_keeps_ready_away_for_ever(world: MiniClusterClient) -> None:
    pod = {"metadata": {"name": "stray", "namespace": NAMESPACE},
           "spec": {"containers": [{"name": "c", "image": "busybox"}]}}  # fmt: skip
    world.store.create(PODS, pod)
    world.minicluster()
    await world.clock.advance(60)
    ready = {c["type"]: c["status"] for c in world.get()["status"]["conditions"]}
    assert ready["JobMiniClusterReady"] == "False"
    assert ready["JobRequested"] == "True"
