"""Leads, workers, archives and deaths: where the truth about MiniClusters is ugly."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path

import pytest

from fluxstate_tui.sim.api.deletion import delete
from fluxstate_tui.sim.api.kinds import MINICLUSTERS, PODS
from fluxstate_tui.sim.flux.instance import FluxInstance
from fluxstate_tui.sim.flux.jobspecs import JobRequest
from fluxstate_tui.sim.machine import Collected
from tests.unit.sim_operator.conftest import NAMESPACE, MiniClusterClient

ARCHIVES = Path(__file__).parents[2] / "data" / "archives"


def arm(world: MiniClusterClient, name: str) -> None:
    """Place a real archive at the MiniCluster's archive.path."""
    data = (ARCHIVES / f"{name}.tar.gz").read_bytes()
    world.cluster.put_file("/data", "archive.tar.gz", data)


def instance(world: MiniClusterClient, name: str = "mc") -> FluxInstance:
    found = world.cluster.state.instance(NAMESPACE, name)
    assert found is not None
    return found


def submit(world: MiniClusterClient, *command: str) -> int:
    """Submit a job; its id."""
    return instance(world).jobs.submit(JobRequest(list(command)).jobspec()).id


def restarts(world: MiniClusterClient) -> int:
    """How often the lead's container was restarted."""
    statuses = [s for pod in world.pods()[:1] for s in pod["status"].get("containerStatuses", [])]
    return int(statuses[0]["restartCount"]) if statuses else 0


async def run_in_lead(
    world: MiniClusterClient, command: str, name: str = "mc"
) -> tuple[int, str, str]:
    """A line of the tutorial in the lead's container: exit code, output, errors."""
    pod = world.cluster.state.lead_pod(NAMESPACE, name)
    container = world.cluster.state.kubelet.running(NAMESPACE, pod, name)
    assert container is not None
    streams = Collected()
    script = f". /mnt/flux/flux-view.sh && flux proxy $fluxsocket {command}"
    running = asyncio.ensure_future(container.run(["bash", "-c", script], streams, tty=False))
    await world.until(running.done)
    return running.result(), streams.stdout.decode(), streams.stderr.decode()


async def kill_lead(world: MiniClusterClient) -> None:
    """SIGKILL as the OOM killer sends it, and the way back to `run`."""
    before = restarts(world)
    await world.cluster.faults.do("kill-lead", namespace=NAMESPACE, minicluster="mc")
    await world.until(lambda: restarts(world) > before)
    await world.until(lambda: world.broker_runs())


async def test_an_archive_at_the_path_is_loaded_and_said_so(world: MiniClusterClient) -> None:
    arm(world, "pending")
    world.minicluster()
    await world.until(world.broker_runs)
    assert len(instance(world).jobs.jobs) > 0
    assert "Found existing archive at /state/archive.tar.gz" in world.log()
    assert "restoring content from /state/archive.tar.gz" in world.log()


@pytest.mark.parametrize("name", ["basic-completion", "pending", "mixed", "running", "old-0.66"])
async def test_jobs_of_a_real_archive_come_back_as_real_flux_restored_them(
    name: str, world: MiniClusterClient
) -> None:
    arm(world, name)
    world.minicluster("flux-sample")
    await world.until(lambda: world.broker_runs("flux-sample"))
    await world.clock.advance(60)
    code, out, _ = await run_in_lead(world, "flux jobs -A -a -c0 --json", "flux-sample")
    assert code == 0
    ours = {job["id"]: (job["status"], job.get("result")) for job in json.loads(out)["jobs"]}
    with gzip.open(ARCHIVES / "truth.json.gz") as truth:
        theirs = json.load(truth)["archives"][f"{name}.tar.gz"]["restored"]
    assert ours == {job["id"]: (job["status"], job.get("result")) for job in theirs}


async def test_a_dump_can_be_made_to_fail_and_to_succeed_again(world: MiniClusterClient) -> None:
    world.minicluster()
    await world.until(world.broker_runs)
    about = {"namespace": NAMESPACE, "minicluster": "mc"}
    await world.cluster.faults.do("fail-dump", **about, message="Input/output error")
    code, _, errors = await run_in_lead(world, "flux dump /state/a.tar.gz")
    assert (code, "Input/output error" in errors) == (1, True)
    await world.cluster.faults.do("fail-dump", **about, message="")
    assert (await run_in_lead(world, "flux dump --quiet /state/b.tar.gz"))[0] == 0


async def test_a_full_disk_cuts_a_dump(world: MiniClusterClient) -> None:
    world.minicluster()
    await world.until(world.broker_runs)
    await world.cluster.faults.do("fill-disk", path="/data", free=0)
    code, _, errors = await run_in_lead(world, "flux dump --quiet /state/a.tar.gz")
    assert (code, "flux-dump: Write error" in errors) == (1, True)


async def test_a_job_runs_in_its_pod_and_sees_the_volume(world: MiniClusterClient) -> None:
    world.minicluster()
    await world.until(world.broker_runs)
    submit(world, "bash", "-c", "hostname > /state/where")
    await world.clock.advance(5)
    assert (await run_in_lead(world, "cat /state/where"))[1].startswith("mc-")


async def test_without_an_archive_it_starts_empty_and_says_nothing(
    world: MiniClusterClient,
) -> None:
    world.minicluster()
    await world.until(world.broker_runs)
    assert instance(world).jobs.jobs == {}
    assert "archive" not in world.log()


async def test_a_truncated_archive_ends_the_lead_with_exit_code_0(world: MiniClusterClient) -> None:
    arm(world, "truncated")
    world.minicluster()
    await world.clock.advance(45)
    lead, worker = world.pods()
    assert lead["status"]["phase"] == "Succeeded"
    ended = lead["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (0, "Completed")
    assert worker["status"]["phase"] == "Running"
    assert "flux-restore: truncated gzip input" in world.log()
    assert "Return value for follower worker is 1" in world.log(1)
    assert "Sleeping 15s" in world.log(1)
    status = world.job()["status"]
    assert (status["succeeded"], status["completedIndexes"]) == (1, "0")
    ready = {c["type"]: c["status"] for c in world.get()["status"]["conditions"]}
    assert ready["JobMiniClusterReady"] == "True"


async def test_a_killed_lead_restarts_in_place_and_an_archive_rolls_everything_back(
    world: MiniClusterClient,
) -> None:
    arm(world, "pending")
    world.minicluster()
    await world.until(world.broker_runs)
    new = submit(world, "sleep", "1000")
    await world.clock.advance(2)
    instance(world).checkpoint()
    name = world.pods()[0]["metadata"]["name"]
    await kill_lead(world)
    assert world.pods()[0]["metadata"]["name"] == name
    last = world.pods()[0]["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (137, "Error")
    assert new not in instance(world).jobs.jobs


async def test_a_killed_lead_without_archive_falls_back_to_the_last_checkpoint(
    world: MiniClusterClient,
) -> None:
    world.minicluster()
    await world.until(world.broker_runs)
    kept = submit(world, "true")
    await world.clock.advance(2)
    instance(world).checkpoint()
    lost = submit(world, "true")
    await world.clock.advance(2)
    await kill_lead(world)
    assert kept in instance(world).jobs.jobs
    assert lost not in instance(world).jobs.jobs


async def test_a_deleted_lead_pod_comes_back_with_an_empty_queue(world: MiniClusterClient) -> None:
    world.minicluster()
    await world.until(world.broker_runs)
    submit(world, "true")
    instance(world).checkpoint()
    old = world.pods()[0]
    delete(world.store, PODS, old, {})
    await world.clock.advance(1)
    assert len(world.pods()) == 3
    await world.until(lambda: len(world.pods()) == 2)
    await world.until(world.broker_runs)
    assert old["metadata"]["uid"] not in {p["metadata"]["uid"] for p in world.pods()}
    assert instance(world).jobs.jobs == {}


async def test_an_evicted_worker_is_dead_to_flux_and_is_replaced(world: MiniClusterClient) -> None:
    world.minicluster()
    await world.until(world.broker_runs)
    worker = world.pods()[1]["metadata"]["name"]
    await world.cluster.faults.do("evict-pod", namespace=NAMESPACE, pod=worker)
    await world.until(lambda: 1 not in instance(world).online)
    assert "dead to Flux: mc-1 (rank 1)" in world.log()
    evicted = world.store.get(PODS, NAMESPACE, worker)
    assert evicted is not None
    assert (evicted["status"]["phase"], evicted["status"]["reason"]) == ("Failed", "Evicted")
    await world.until(lambda: 1 in instance(world).online)
    assert len(world.pods()) == 3


async def test_a_minicluster_with_a_command_ends_as_complete_even_if_it_fails(
    world: MiniClusterClient,
) -> None:
    container = {"image": "rockylinux:9", "command": "false"}
    world.minicluster(interactive=False, containers=[container])
    await world.until(lambda: world.job_is("Complete"))
    assert [p["status"]["phase"] for p in world.pods()] == ["Succeeded", "Succeeded"]
    assert world.job()["status"]["completedIndexes"] == "0,1"
    assert "exited cleanly. Goodbye!" in world.log(1)
    assert world.get()["status"]["size"] == 0


async def test_scaling_up_and_down_moves_pods_and_status(world: MiniClusterClient) -> None:
    world.minicluster(maxSize=4)
    await world.until(world.broker_runs)

    def resize(size: int) -> None:
        world.store.modify(
            MINICLUSTERS, NAMESPACE, "mc", lambda draft: draft["spec"].update(size=size)
        )

    resize(3)
    await world.until(lambda: 2 in instance(world).online)
    assert world.get()["status"]["size"] == 3
    resize(2)
    await world.until(lambda: len(world.pods()) == 2)
    assert instance(world).online == {0, 1}
    resize(9)
    await world.clock.advance(20)
    assert (world.get()["spec"]["size"], len(world.pods())) == (9, 2)


async def test_without_max_size_a_larger_size_is_patched_back(world: MiniClusterClient) -> None:
    world.minicluster()
    await world.until(world.broker_runs)
    world.store.modify(MINICLUSTERS, NAMESPACE, "mc", lambda draft: draft["spec"].update(size=5))
    await world.until(lambda: world.get()["spec"]["size"] == 2)
    assert len(world.pods()) == 2


async def test_files_on_the_host_outlive_pods_and_pods_own_files_do_not(
    world: MiniClusterClient,
) -> None:
    world.minicluster()
    await world.until(world.broker_runs)
    pod = world.pods()[0]["metadata"]["name"]
    container = world.cluster.state.kubelet.running(NAMESPACE, pod, "mc")
    assert container is not None
    container.machine.files.write("/state/kept", b"1")
    container.machine.files.write("/opt/software/lost", b"1")
    delete(world.store, MINICLUSTERS, world.get(), {})
    await world.until(lambda: not world.pods())
    world.minicluster()
    await world.until(world.broker_runs)
    pod = world.pods()[0]["metadata"]["name"]
    container = world.cluster.state.kubelet.running(NAMESPACE, pod, "mc")
    assert container is not None
    assert container.machine.files.read("/state/kept") == b"1"
    assert not container.machine.files.exists("/opt/software/lost")


async def test_named_queues_come_up_stopped(world: MiniClusterClient) -> None:
    config = "[queues.batch]\n[queues.debug]\n[policy.jobspec.defaults.system]\nqueue = 'batch'\n"
    world.minicluster(flux={"brokerConfig": config})
    await world.until(world.broker_runs)
    _, out, _ = await run_in_lead(world, "flux queue status")
    assert "batch: Scheduling is stopped" in out
    assert "debug: Scheduling is stopped" in out


async def test_with_cleanup_the_minicluster_goes_when_its_lead_has_ended(
    world: MiniClusterClient,
) -> None:
    container = {"image": "rockylinux:9", "command": "hostname"}
    world.minicluster(interactive=False, cleanup=True, containers=[container])
    await world.until(lambda: world.store.get(MINICLUSTERS, NAMESPACE, "mc") is None)
    await world.until(lambda: not world.pods())


async def test_in_strict_mode_a_failed_restore_restarts_the_lead_again_and_again(
    world: MiniClusterClient,
) -> None:
    arm(world, "truncated")
    world.minicluster(logging={"strict": True})
    await world.until(lambda: restarts(world) >= 2)
    last = world.pods()[0]["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (1, "Error")


async def test_a_quiet_minicluster_does_not_tell_that_it_found_an_archive(
    world: MiniClusterClient,
) -> None:
    arm(world, "pending")
    world.minicluster(logging={"quiet": True})
    await world.until(world.broker_runs)
    assert "Found existing archive" not in world.log()


async def test_a_low_min_size_lets_the_broker_run_before_everybody_is_there(
    world: MiniClusterClient,
) -> None:
    world.minicluster(size=3, minSize=1)
    await world.until(world.broker_runs)
    assert instance(world).quorum == 1


async def test_the_previous_log_of_a_killed_lead_can_still_be_read(
    world: MiniClusterClient,
) -> None:
    world.minicluster()
    await world.until(world.broker_runs)
    await kill_lead(world)
    pod = world.pods()[0]["metadata"]["name"]
    kubelet = world.cluster.state.kubelet
    previous = kubelet.log(NAMESPACE, pod, "mc", previous=True)
    assert previous is not None
    assert any("quorum-full" in line for _, line in previous.lines)
    assert "restored KVS from checkpoint on" in world.log()
