"""Every file in examples/ does what it says."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from fluxstate_tui import Client, connect
from fluxstate_tui.cli.main import parse
from fluxstate_tui.kube.manifest import check_manifest, load_manifest
from fluxstate_tui.kube.objects import PVCS, PVS
from fluxstate_tui.minicluster.minicluster import Phase
from fluxstate_tui.sim.api.auth import Rule, User
from fluxstate_tui.sim.api.kinds import PVCS as SIM_PVCS
from fluxstate_tui.sim.api.kinds import PVS as SIM_PVS
from fluxstate_tui.sim.server import SimulatedCluster
from tests.e2e.conftest import SIMULATED_SPEED
from tests.e2e.target import Finished, Target

EXAMPLES = Path(__file__).parents[2] / "examples"
MANIFESTS = {"2026-06": "minicluster.yaml", "v1alpha1": "minicluster-v1alpha1.yaml"}
PAGE = (EXAMPLES / "README.md").read_text()
PATIENCE = 120.0


async def run(script: str, *arguments: str, **environment: str) -> Finished:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / script),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    async with asyncio.timeout(PATIENCE):
        stdout, stderr = await process.communicate()
    return Finished(process.returncode or 0, stdout.decode(), stderr.decode())


@asynccontextmanager
async def bare(
    folder: Path, flavour: str = "2026-06", *, volumes: bool = True
) -> AsyncIterator[SimulatedCluster]:
    """A cluster with that operator, and the volume and claim of examples/volumes.yaml at most."""
    async with SimulatedCluster(speed=SIMULATED_SPEED, flavour=flavour) as sim:
        for kind, namespace in ((SIM_PVCS, "default"), (SIM_PVS, "")):
            if sim.state.store.get(kind, namespace, "data") is not None:
                sim.state.store.remove(kind, namespace, "data")
        sim.write_kubeconfig(folder / "kubeconfig")
        if volumes:
            async with connect(kubeconfig=folder / "kubeconfig") as client:
                await apply_volumes(client)
        yield sim


async def apply_volumes(client: Client) -> None:
    cluster = client._context.cluster
    volume, claim = yaml.safe_load_all((EXAMPLES / "volumes.yaml").read_text())
    await cluster.create(PVS, volume)
    await cluster.create(PVCS, claim, "default")


@pytest.mark.parametrize("script", ["basic_completion.py", "pending_jobs.py"])
async def test_a_script_goes_the_whole_way_of_its_tutorial(
    script: str, target: Target, tmp_path: Path
) -> None:
    manifest = tmp_path / "minicluster.json"
    manifest.write_text(json.dumps(target.manifest))
    done = await run(
        script,
        str(manifest),
        "--namespace",
        target.namespace,
        KUBECONFIG=str(target.kubeconfig),
        FLUXSTATE_STATE_DIR=str(target.state_dir),
    )
    assert done.code == 0, done
    assert "Traceback" not in done.stderr
    assert (await target.fluxstate("get", "miniclusters", target.name)).code == 4


async def test_a_script_stops_before_anything_is_deleted(target: Target, tmp_path: Path) -> None:
    if not target.simulated:
        pytest.skip("it breaks the dump of a simulated broker")
    await target.create(size=1)
    manifest = tmp_path / "minicluster.json"
    manifest.write_text(json.dumps(target.manifest))
    again = await run(
        "basic_completion.py",
        str(manifest),
        KUBECONFIG=str(target.kubeconfig),
        FLUXSTATE_STATE_DIR=str(target.state_dir),
    )
    assert again.code == 1
    assert "Traceback" not in again.stderr
    assert target.name in again.stderr
    assert (await target.minicluster())["phase"] == "Up"


@pytest.mark.parametrize("flavour", MANIFESTS)
async def test_a_manifest_is_saved_deleted_and_restored(
    flavour: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLUXSTATE_STATE_DIR", str(tmp_path / "state"))
    path = EXAMPLES / MANIFESTS[flavour]
    assert check_manifest(load_manifest(path)) == ()
    async with bare(tmp_path, flavour) as sim, connect(kubeconfig=tmp_path / "kubeconfig") as one:
        ref = await one.create(path)
        claim = sim.state.store.get(SIM_PVCS, "default", "data")
        assert claim is not None
        assert claim["spec"]["volumeName"] == "data"
        (job,) = await one.submit(ref.name, ["echo", "kept"], urgency=0)
        await (await one.save(ref.name)).run()
        await (await one.delete(ref.name)).run()
        await (await one.restore(ref.name, helper_pod=True)).run()
        assert (await one.get(ref.name)).phase is Phase.UP
        assert [found["id"] for found in await one.jobs(ref.name)] == [job]


async def test_the_role_is_enough_for_both_scripts(tmp_path: Path) -> None:
    role = yaml.safe_load((EXAMPLES / "rbac.yaml").read_text())
    rules = tuple(
        Rule(tuple(rule["verbs"]), tuple(rule["resources"]), tuple(rule["apiGroups"]), ("default",))
        for rule in role["rules"]
    )
    async with bare(tmp_path) as sim:
        token = sim.add_user(User("researcher", (), rules))
        kubeconfig = sim.write_kubeconfig(tmp_path / "researcher", token)
        for script in ("basic_completion.py", "pending_jobs.py"):
            done = await run(
                script,
                str(EXAMPLES / "minicluster.yaml"),
                KUBECONFIG=str(kubeconfig),
                FLUXSTATE_STATE_DIR=str(tmp_path / script),
            )
            assert done.code == 0, done


def commands(program: str) -> Iterator[str]:
    """The lines of the page's console blocks that run it, without their comments."""
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.S):
        for line in block.replace("\\\n", " ").splitlines():
            text = line.removeprefix("$ ")
            if line.startswith("$ ") and shlex.split(text, comments=True)[:1] == [program]:
                yield shlex.join(shlex.split(text, comments=True))


def test_every_line_of_the_page_is_a_command_that_some_test_checks() -> None:
    known = {"fluxstate-tui", "kubectl", "python", "export", "pip"}
    lines = [
        line.removeprefix("$ ")
        for block in re.findall(r"```console\n(.*?)```", PAGE, re.S)
        for line in block.splitlines()
    ]
    assert lines
    assert {shlex.split(line)[0] for line in lines} <= known


@pytest.mark.parametrize("line", list(commands("fluxstate-tui")))
def test_the_programs_own_parser_takes_each_command_of_the_page(line: str) -> None:
    args = parse(shlex.split(line)[1:])
    assert callable(args.run)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed here")
async def test_kubectl_applies_what_the_page_applies(tmp_path: Path) -> None:
    lines = [line for line in commands("kubectl") if "rbac.yaml" not in line]
    assert lines
    async with bare(tmp_path, volumes=False):
        for line in lines:
            process = await asyncio.create_subprocess_exec(
                *shlex.split(line),
                cwd=EXAMPLES.parent,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={
                    **os.environ,
                    "KUBECONFIG": str(tmp_path / "kubeconfig"),
                    "HOME": str(tmp_path),
                },
            )
            async with asyncio.timeout(PATIENCE):
                out, _ = await process.communicate()
            assert process.returncode == 0, out.decode()
            assert "created" in out.decode()


@pytest.mark.parametrize("line", [*commands("python"), *commands("kubectl")])
def test_each_file_that_the_page_names_is_there(line: str) -> None:
    words = shlex.split(line)
    files = [word for word in words if word.startswith("examples/")]
    assert all((EXAMPLES.parent / file).is_file() for file in files)
    if words[0] == "python":
        assert files
        tests = {"examples/basic_completion.py", "examples/pending_jobs.py"}
        assert files[0] in tests
