"""Whatever a job, an archive, a manifest or an API token brings: none of it runs on this computer.

The promise of the simulation, tried: every way that a real container would run the attack's code.
"""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fluxstate_tui.flux.job import JobState
from fluxstate_tui.flux.remote_code import BOOTSTRAP, program_line
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.sim.api.kinds import MINICLUSTERS
from fluxstate_tui.sim.server import SimulatedCluster
from fluxstate_tui.sim.worlds.manifests import minicluster, with_defaults
from tests.security.activity import Activity, watched
from tests.unit.sim_flux.world import world

SPEED = 50.0
PATIENCE = 30.0
REFUSAL = "the simulation runs no code"


class Attack:
    """Code in several languages that leaves a file on this computer, if ever it runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = str(folder)
        self.python = f"open({str(folder / 'python')!r}, 'w').write('x')"
        self.shell = f"touch {folder}/touched; echo x > {folder}/redirected"
        self.perl = f"open(F, '>', '{folder}/perl'); print F 'x';"

    def commands(self) -> list[list[str]]:
        """What a job may ask for."""
        return [
            ["flux", "python", "-c", self.python],
            ["flux", "python", "-u", "-c", self.python],
            ["python3", "-c", self.python],
            ["/usr/bin/python3", "-c", self.python],
            ["python", "-m", "timeit", self.python],
            ["sh", "-c", self.shell],
            ["/bin/sh", "-c", f"python3 -c {shlex.quote(self.python)}"],
            ["bash", "-c", f"flux python -c {shlex.quote(self.python)}"],
            ["bash", "-c", f"echo $(flux python -c {shlex.quote(self.python)})"],
            ["bash", "-c", f"echo {shlex.quote(self.python)} | flux python"],
            ["bash", "-c", f"echo {shlex.quote(self.python)} | flux python -"],
            ["bash", "-c", f"flux python - <<'END'\n{self.python}\nEND\n"],
            ["bash", "-c", f"python3 <<'END'\n{self.python}\nEND\n"],
            ["bash", "-c", f"bash <<'END'\n{self.shell}\nEND\n"],
            ["bash", "-c", f"echo {shlex.quote(self.shell)} | sh"],
            ["bash", "-c", f"eval {shlex.quote(self.shell)}"],
            ["bash", "-c", f"exec flux python -c {shlex.quote(self.python)}"],
            ["bash", "-c", f"(flux python -c {shlex.quote(self.python)}) & wait"],
            ["bash", "-c", f"echo {shlex.quote(self.python)} > /tmp/x.py; flux python /tmp/x.py"],
            ["bash", "-c", self.script("#!/usr/bin/env python3", self.python)],
            ["bash", "-c", self.script("#!/usr/bin/perl", self.perl)],
            ["bash", "-c", self.script("#!/bin/sh", self.shell)],
            ["perl", "-e", self.perl],
            ["ruby", "-e", f"File.write('{self.folder}/ruby', 'x')"],
            ["node", "-e", f"require('fs').writeFileSync('{self.folder}/node', 'x')"],
            ["env", "X=1", "flux", "python", "-c", self.python],
            ["timeout", "5", "flux", "python", "-c", self.python],
            ["flux", "run", "flux", "python", "-c", self.python],
            ["flux", "submit", "--wait", "flux", "python", "-c", self.python],
            ["flux", "bulksubmit", "--wait", "flux", "python", "-c", self.python, ":::", "1"],
            ["flux", "batch", "--wrap", "flux", "python", "-c", self.python],
            ["flux", "alloc", "-n1", "flux", "python", "-c", self.python],
            ["flux", "start", "flux", "python", "-c", self.python],
            ["flux", "exec", "flux", "python", "-c", self.python],
            ["flux", "env", "flux", "python", "-c", self.python],
            ["bash", "-c", f"flux proxy $FLUX_URI flux python -c {shlex.quote(self.python)}"],
            ["flux", f"../../{self.folder}/x", self.python],
            [str(self.folder / "program")],
        ]

    @staticmethod
    def script(first: str, text: str) -> str:
        """Make a program of it, and run it."""
        lines = f"{first}\n{text}\n"
        return f"printf %s {shlex.quote(lines)} > /tmp/p; chmod 755 /tmp/p; /tmp/p"


@pytest.fixture
def attack(tmp_path: Path) -> Attack:
    folder = tmp_path / "victim"
    folder.mkdir()
    program = folder / "program"
    program.write_text(f"#!/bin/sh\ntouch {folder}/ran\n", "utf-8")
    program.chmod(0o755)
    return Attack(folder)


def harmed(attack: Attack, activity: Activity) -> list[str]:
    """What it did to this computer."""
    files = [f"file: {path.name}" for path in attack.folder.iterdir() if path.name != "program"]
    return files + activity.harm


async def hostile_archive(commands: list[list[str]]) -> bytes:
    """An archive whose jobs wait, each of them one of the commands."""
    async with world() as there:
        ran = await there.sh("flux queue stop --all")
        assert ran.code == 0, ran
        for command in commands:
            ran = await there.sh(f"flux submit {shlex.join(command)}")
            assert ran.code == 0, ran
        ran = await there.sh("flux dump -q /state/a.tar.gz")
        assert ran.code == 0, ran
        return there.files.read("/state/a.tar.gz")


@asynccontextmanager
async def cluster(
    tmp_path: Path, archive: bytes | None = None, **spec: Any
) -> AsyncIterator[tuple[SimulatedCluster, Cluster]]:
    """A simulated cluster with one MiniCluster that is up, and a client with its token."""
    async with SimulatedCluster(speed=SPEED) as sim:
        for folder in ("/data", str(tmp_path / "victim")):  # as if the node had them
            sim.put_file(folder, "nothing", b"")
        if archive is not None:
            sim.put_file("/data", "archive.tar.gz", archive)
        body = minicluster("flux-sample", 1, **spec)
        options = KubeOptions(str(sim.write_kubeconfig(tmp_path / "config")))
        async with await Cluster.open(options, sim.clock) as client:
            with watched(str(tmp_path / "none")):  # what the client loads late, it loads now
                await client.minicluster_resource()
            sim.state.store.create(MINICLUSTERS, with_defaults(sim.state.flavour, body))
            yield sim, client


async def running(sim: SimulatedCluster) -> None:
    """Until its broker runs."""
    async with asyncio.timeout(PATIENCE):
        while True:
            instance = sim.state.instance("default", "flux-sample")
            if instance is not None and instance.alive:
                await instance.wait_state("run", "dead", "exit")
                return
            await asyncio.sleep(0.01)


async def inside(sim: SimulatedCluster, client: Cluster, script: str) -> tuple[int, str]:
    """Run a script in the lead container, as `kubectl exec` does: exit code, and all output."""
    pod = sim.state.lead_pod("default", "flux-sample")
    argv = ["/bin/bash", "-c", ". /mnt/flux/flux-view.sh; export FLUX_URI=$fluxsocket; " + script]
    result = await client.exec("default", pod, "flux-sample", argv, timeout=PATIENCE)
    return int(result.code), (result.stdout + result.stderr).decode("utf-8", "replace")


async def test_no_pending_job_of_a_hostile_archive_runs_here(
    attack: Attack, tmp_path: Path
) -> None:
    commands = attack.commands()
    archive = await hostile_archive(commands)
    async with cluster(tmp_path, archive) as (sim, client):
        with watched(attack.mark) as activity:
            await running(sim)
            code, said = await inside(sim, client, "flux queue start --all && flux queue idle")
            assert code == 0, said
        instance = sim.state.instance("default", "flux-sample")
        assert instance is not None
        jobs = instance.jobs.jobs.values()
        assert len(jobs) >= len(commands), "the archive was not loaded"
        assert {job.state for job in jobs} == {JobState.INACTIVE}
        assert not harmed(attack, activity)


async def test_no_command_of_a_token_holder_runs_here(attack: Attack, tmp_path: Path) -> None:
    async with cluster(tmp_path) as (sim, client):
        await running(sim)
        with watched(attack.mark) as activity:
            for command in attack.commands():
                await inside(sim, client, shlex.join(command))
        assert not harmed(attack, activity)


@pytest.mark.parametrize("interactive", [True, False])
async def test_no_command_of_a_manifest_runs_here(
    attack: Attack, tmp_path: Path, interactive: bool
) -> None:
    text = f"flux python -c {shlex.quote(attack.python)}"
    container = {
        "image": "rockylinux:9",
        "command": text,
        "commands": {"pre": f"{text}\n{attack.shell}", "init": text, "post": text,
                     "script": f"#!/bin/bash\n{text}\n"},
        "volumes": {"data": {"hostPath": str(attack.folder), "path": "/state"}},
    }  # fmt: skip
    spec: dict[str, Any] = {"containers": [container], "interactive": interactive}
    async with cluster(tmp_path, **spec) as (sim, client):
        with watched(attack.mark) as activity:
            await running(sim)
            if interactive:
                await inside(sim, client, "echo x > /state/through-the-hostpath; ls -la /state")
            else:
                instance = sim.state.instance("default", "flux-sample")
                if instance is not None:
                    async with asyncio.timeout(PATIENCE):
                        await instance.wait_state("exit", "dead")
        assert not harmed(attack, activity)


async def test_what_is_refused_says_so_and_with_which_code(attack: Attack, tmp_path: Path) -> None:
    async with cluster(tmp_path) as (sim, client):
        await running(sim)
        for command in (["flux", "python", "-c", attack.python], ["python3", "-c", attack.python],
                        ["perl", "-e", attack.perl]):  # fmt: skip
            code, said = await inside(sim, client, shlex.join(command))
            assert code in (126, 127), said
            assert REFUSAL in said
        code, said = await inside(sim, client, attack.script("#!/usr/bin/python3", attack.python))
        assert code == 126
        assert REFUSAL in said


@pytest.mark.parametrize("change", ["program", "bootstrap", "options", "arguments"])
async def test_almost_our_own_program_is_not_ours(
    attack: Attack, tmp_path: Path, change: str
) -> None:
    line, text = program_line(), BOOTSTRAP
    argv = ["flux", "python", "-u", "-c", text]
    if change == "program":
        line = json.dumps(json.loads(line) + f"\n{attack.python}\n").encode() + b"\n"
    elif change == "bootstrap":
        argv[-1] = f"{text}\n{attack.python}\n"
    elif change == "options":
        argv = ["flux", "python", "-c", text, "-c", attack.python]
    else:
        argv.append("more")
    async with cluster(tmp_path) as (sim, client):
        await running(sim)
        pod = sim.state.lead_pod("default", "flux-sample")
        view = '. /mnt/flux/flux-view.sh; export FLUX_URI=$fluxsocket; exec "$@"'
        with watched(attack.mark) as activity:
            result = await client.exec(
                "default", pod, "flux-sample", ["/bin/bash", "-c", view, "x", *argv],
                stdin=line, timeout=PATIENCE,
            )  # fmt: skip
        assert result.code == 126
        assert REFUSAL in result.stderr.decode()
        assert not harmed(attack, activity)


async def test_no_path_of_a_container_leads_to_this_computer(
    attack: Attack, tmp_path: Path
) -> None:
    (attack.folder / "program").write_text("secret", "utf-8")
    there = attack.folder
    up = "../" * 30
    scripts = [
        f"cat {there}/program", f"cat {up}{there}/program", f"cat /proc/self/root{there}/program",
        f"ln -s {there} /state/out; cat /state/out/program; echo x > /state/out/new",
        f"ln -s {up}{there} out; cat out/program; cp /etc/debian_version out/new",
        f"ln {there}/program /state/hard; cat /state/hard", f"ls -la {there}", f"cd {there} && ls",
        f"for name in {there}/*; do cat $name; done", f"tee {there}/new < /etc/debian_version",
        f"flux dump {there}/dump.tar", f"flux dump {up}{there}/dump.tar",
        f"flux submit --wait --output={there}/output echo x", f"mkdir -p {there}/made",
        f"cp {there}/program /state/copy", f"mv {there}/program /state/moved",
        f"rm -rf {there}",
        "cat /proc/self/environ /proc/1/cmdline /proc/self/maps", "cat /etc/passwd /etc/shadow",
        "ls -la /proc /sys /dev /root /home", f". {there}/program", f"source {up}{there}/program",
    ]  # fmt: skip
    async with cluster(tmp_path) as (sim, client):
        await running(sim)
        with watched(attack.mark) as activity:
            said = [await inside(sim, client, script) for script in scripts]
        assert "secret" not in json.dumps(said)
        assert not activity.harm
    assert (attack.folder / "program").read_text("utf-8") == "secret"
    assert [path.name for path in attack.folder.iterdir()] == ["program"]
