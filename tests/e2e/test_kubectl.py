"""The real kubectl against the simulated cluster: the verbs and lines of the tutorial."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fluxstate_tui.sim.api.auth import Rule, User
from fluxstate_tui.sim.api.kinds import MINICLUSTERS
from fluxstate_tui.sim.server import SimulatedCluster
from fluxstate_tui.sim.worlds.manifests import minicluster

pytestmark = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not installed here"
)

NAME = "flux-sample"
SPEED = 30
FLUX = ". /mnt/flux/flux-view.sh && flux proxy $fluxsocket "
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


class Kubectl:
    """Runs kubectl with the cluster's kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        home = str(kubeconfig.parent)
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": home}

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """A kubectl that goes on."""
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            "kubectl", *arguments, stdin=pipe, stdout=pipe, stderr=pipe, env=self._environment
        )

    async def __call__(self, *arguments: str, stdin: str = "", code: int = 0) -> Result:
        """Run it to its end; the exit code must be `code`."""
        process = await self.start(*arguments)
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate(stdin.encode())
        result = Result(process.returncode or 0, out.decode(), err.decode())
        assert result.code == code, result
        return result

    async def json(self, *arguments: str) -> Any:
        """The objects as data."""
        return json.loads((await self("get", *arguments, "-o", "json")).out)

    async def until(self, *arguments: str, shows: str) -> str:
        """Repeat a command until its output shows a text."""
        async with asyncio.timeout(PATIENCE):
            while shows not in (out := (await self(*arguments)).out):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        return out

    async def lead(self) -> str:
        """The lead pod's name."""
        selector = f"job-name={NAME},batch.kubernetes.io/job-completion-index=0"
        pods = (await self.json("pods", "-l", selector))["items"]
        alive = [p for p in pods if "deletionTimestamp" not in p["metadata"]]
        return str(alive[0]["metadata"]["name"])

    async def flux(self, command: str, *, code: int = 0) -> Result:
        """A line of the tutorial, in the lead pod."""
        script = FLUX + command
        return await self("exec", await self.lead(), "-c", NAME, "--", "/bin/bash", "-c", script,
                          code=code)  # fmt: skip


@pytest.fixture
async def cluster() -> AsyncIterator[SimulatedCluster]:
    async with SimulatedCluster(speed=SPEED) as simulated:
        yield simulated


@pytest.fixture
async def kubectl(cluster: SimulatedCluster, tmp_path: Path) -> Kubectl:
    return Kubectl(cluster.write_kubeconfig(tmp_path / "kubeconfig"))


def manifest(size: int = 2, **spec: Any) -> str:
    """The tutorial's MiniCluster as JSON for `apply -f -`."""
    return json.dumps(minicluster(NAME, size, **spec))


async def up(kubectl: Kubectl, cluster: SimulatedCluster, **spec: Any) -> None:
    """Apply the MiniCluster and wait until its broker runs."""
    await kubectl("apply", "-f", "-", stdin=manifest(**spec))
    async with asyncio.timeout(PATIENCE):
        while (instance := cluster.state.instance("default", NAME)) is None:
            await cluster.clock.sleep(1)
        await instance.wait_state("run")


async def test_the_tutorial_can_be_played_line_by_line(
    kubectl: Kubectl, cluster: SimulatedCluster
) -> None:
    await up(kubectl, cluster)
    assert "run" in (await kubectl.flux("flux uptime")).out
    job = (await kubectl.flux("flux submit sleep 3")).out.strip()
    assert job.startswith("ƒ")
    await kubectl.flux("flux submit whoami")
    assert (await kubectl.flux("flux queue stop")).out == "Scheduling is stopped\n"
    assert "Scheduling is stopped" in (await kubectl.flux("flux queue status")).out
    await kubectl.flux("flux queue idle")
    await kubectl.flux("flux submit sleep 5")
    listed = (await kubectl.flux("flux jobs -a")).out
    assert listed.split("\n")[0].split()[:3] == ["JOBID", "USER", "NAME"]
    assert job in listed
    await kubectl.flux("flux dump --quiet /state/archive.tar.gz")
    files = await kubectl("exec", await kubectl.lead(), "-c", NAME, "--", "ls", "-l", "/state")
    assert "archive.tar.gz" in files.out
    assert "free" in (await kubectl.flux("flux resource list")).out

    await kubectl("delete", "minicluster", NAME)
    await kubectl("wait", "--for=delete", "pod", "-l", f"job-name={NAME}", "--timeout=20s")
    await up(kubectl, cluster, size=3)
    restored = await kubectl.flux("flux jobs -a")
    assert job in restored.out
    assert len(restored.out.strip().split("\n")) == 4


async def test_get_shows_the_columns_of_a_real_cluster(
    kubectl: Kubectl, cluster: SimulatedCluster
) -> None:
    await up(kubectl, cluster)
    headers = {
        "miniclusters": "NAME AGE",
        "pods": "NAME READY STATUS RESTARTS AGE",
        "jobs": "NAME STATUS COMPLETIONS DURATION AGE",
        "events": "LAST SEEN TYPE REASON OBJECT MESSAGE",
        "pvc": "NAME STATUS VOLUME CAPACITY ACCESS MODES STORAGECLASS VOLUMEATTRIBUTESCLASS AGE",
        "pv": "NAME CAPACITY ACCESS MODES RECLAIM POLICY STATUS CLAIM STORAGECLASS"
        " VOLUMEATTRIBUTESCLASS REASON AGE",
        "nodes": "NAME STATUS ROLES AGE VERSION",
    }
    for kind, columns in headers.items():
        out = (await kubectl("get", kind)).out
        assert " ".join(out.split("\n")[0].split()) == columns
    assert "Running" in (await kubectl("get", "pods", "-o", "wide")).out
    assert "Bound" in (await kubectl("get", "pvc", "data")).out


async def test_get_watch_shows_changes_as_they_come(
    kubectl: Kubectl, cluster: SimulatedCluster
) -> None:
    watching = await kubectl.start("get", "pods", "-w")
    try:
        await up(kubectl, cluster)
        assert watching.stdout is not None
        async with asyncio.timeout(PATIENCE):
            seen: list[str] = []
            while not any("Running" in line for line in seen):
                seen.append((await watching.stdout.readline()).decode())
        assert any("Init:0/1" in line for line in seen)
        assert any("PodInitializing" in line for line in seen)
    finally:
        watching.terminate()
        await watching.communicate()


async def test_describe_tells_conditions_and_events(
    kubectl: Kubectl, cluster: SimulatedCluster
) -> None:
    await up(kubectl, cluster)
    described = (await kubectl("describe", "minicluster", NAME)).out
    assert "JobMiniClusterReady" in described
    pod = (await kubectl("describe", "pod", await kubectl.lead())).out
    assert "Successfully assigned default/" in pod
    assert "Started container flux-sample" in pod
    assert "Bound" in (await kubectl("describe", "pvc", "data")).out
    assert "Created pod" in (await kubectl("describe", "job", NAME)).out


async def test_patch_and_scale_change_the_size_and_the_operator_follows(
    kubectl: Kubectl, cluster: SimulatedCluster
) -> None:
    await up(kubectl, cluster, maxSize=4)
    await kubectl("scale", "minicluster", NAME, "--replicas=3")
    await kubectl.until("get", "pods", shows=f"{NAME}-2-")
    patch = '{"spec":{"size":2}}'
    await kubectl("patch", "minicluster", NAME, "--type=merge", "-p", patch)
    status = await kubectl.until(
        "get", "minicluster", NAME, "-o", "jsonpath={.spec.size} {.status.size}", shows="2 2"
    )
    assert status == "2 2"
    fix = '[{"op":"test","path":"/spec/size","value":9}]'
    await kubectl("patch", "minicluster", NAME, "--type=json", "-p", fix, code=1)


async def test_apply_creates_configures_keeps_and_refuses(
    kubectl: Kubectl, cluster: SimulatedCluster
) -> None:
    apply = ("apply", "-f", "-")
    assert "created" in (await kubectl(*apply, stdin=manifest())).out
    # The CRD's defaults inside of lists make kubectl patch again, as on a real cluster.
    assert "configured" in (await kubectl(*apply, stdin=manifest())).out
    assert cluster.state.store.objects(MINICLUSTERS)[0]["metadata"]["generation"] == 1
    assert "configured" in (await kubectl(*apply, stdin=manifest(interactive=False))).out
    typo = await kubectl(*apply, stdin=manifest(intreactive=True), code=1)
    assert 'unknown field "spec.intreactive"' in typo.err
    dry = await kubectl(*apply, "--dry-run=server", stdin=manifest(size=5))
    assert "server dry run" in dry.out
    wrong = await kubectl(*apply, stdin=manifest().replace('"size": 2', '"size": "x"'), code=1)
    assert "must be of type integer" in wrong.err


async def test_the_tutorials_volume_can_be_applied_and_deleted(kubectl: Kubectl) -> None:
    volume = {
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": "mine", "labels": {"type": "local"}},
        "spec": {"storageClassName": "own", "capacity": {"storage": "10Gi"},
                 "accessModes": ["ReadWriteMany"], "hostPath": {"path": "/mine"}},
    }  # fmt: skip
    claim = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "mine"},
        "spec": {"storageClassName": "own", "accessModes": ["ReadWriteMany"],
                 "resources": {"requests": {"storage": "10Gi"}}},
    }  # fmt: skip
    await kubectl("apply", "-f", "-", stdin=f"{json.dumps(volume)}\n---\n{json.dumps(claim)}")
    await kubectl.until("get", "pvc", "mine", shows="Bound")
    await kubectl("delete", "pvc", "mine")
    await kubectl.until("get", "pv", "mine", shows="Released")
    await kubectl("delete", "pv", "mine")
    assert "NotFound" in (await kubectl("get", "pv", "mine", code=1)).err


async def test_logs_show_the_brokers_start_and_follow_it(
    kubectl: Kubectl, cluster: SimulatedCluster
) -> None:
    await kubectl("apply", "-f", "-", stdin=manifest())
    await kubectl.until("get", "pods", shows="Running")
    following = await kubectl.start("logs", "-f", await kubectl.lead(), "-c", NAME)
    assert following.stdout is not None
    async with asyncio.timeout(PATIENCE):
        while "quorum-full: quorum->run" not in (await following.stdout.readline()).decode():
            pass
    following.terminate()
    await following.communicate()
    log = (await kubectl("logs", await kubectl.lead(), "-c", NAME)).out
    assert "rc1-success: init->quorum" in log
    assert len((await kubectl("logs", await kubectl.lead(), "-c", NAME, "--tail=2")).out) < len(log)


async def test_exec_carries_input_output_and_exit_codes(
    kubectl: Kubectl, cluster: SimulatedCluster
) -> None:
    await up(kubectl, cluster)
    lead = await kubectl.lead()
    said = await kubectl("exec", "-i", lead, "-c", NAME, "--", "cat", stdin="ƒ and more\n")
    assert said.out == "ƒ and more\n"
    ended = await kubectl("exec", lead, "-c", NAME, "--", "sh", "-c", "echo x >&2; exit 3", code=3)
    assert "x\n" in ended.err
    missing = await kubectl("exec", lead, "-c", NAME, "--", "nonexistent", code=1)
    assert "executable file not found in $PATH" in missing.err
    wrong = await kubectl("exec", lead, "-c", "nope", "--", "id", code=1)
    assert "container nope" in wrong.err
    assert (await kubectl.flux("flux jobs ƒnosuch", code=1)).err


async def test_kubectl_delete_waits_until_the_minicluster_is_gone(
    kubectl: Kubectl, cluster: SimulatedCluster
) -> None:
    await up(kubectl, cluster)
    await kubectl("delete", "minicluster", NAME)
    assert "NotFound" in (await kubectl("get", "minicluster", NAME, code=1)).err
    assert "Terminating" in (await kubectl("get", "pods")).out
    await kubectl("delete", "minicluster", NAME, code=1)


async def test_a_list_in_one_document_is_applied_item_by_item(kubectl: Kubectl) -> None:
    items = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} for name in "ab"]
    both = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    out = (await kubectl("apply", "-f", "-", stdin=both)).out
    assert out == "configmap/a created\nconfigmap/b created\n"


async def test_kubectl_can_ask_who_one_is_and_what_one_may(
    kubectl: Kubectl, cluster: SimulatedCluster, tmp_path: Path
) -> None:
    assert "sim-admin" in (await kubectl("auth", "whoami")).out
    assert (await kubectl("auth", "can-i", "delete", "pods")).out == "yes\n"
    rules = (Rule(("get", "list", "watch"), ("pods",), ("",)),)
    token = cluster.add_user(User("viewer", (), rules))
    viewer = Kubectl(cluster.write_kubeconfig(tmp_path / "viewer", token))
    assert (await viewer("auth", "can-i", "list", "pods")).out == "yes\n"
    assert (
        await viewer("auth", "can-i", "get", "pods", "--subresource=exec", code=1)
    ).out == "no\n"
    refused = await viewer("delete", "pvc", "data", code=1)
    assert 'User "viewer" cannot delete resource "persistentvolumeclaims"' in refused.err


async def test_a_namespace_and_what_is_in_it_can_be_made_and_deleted(kubectl: Kubectl) -> None:
    await kubectl("create", "namespace", "mine")
    await kubectl("apply", "-n", "mine", "-f", "-", stdin=manifest().replace("default", "mine"))
    await kubectl.until("get", "pods", "-n", "mine", shows="Running")
    await kubectl("delete", "namespace", "mine")
    assert "NotFound" in (await kubectl("get", "namespace", "mine", code=1)).err
