"""Where an end-to-end test runs: a simulated cluster, or a real one given by the command line."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.errors import NotFound
from fluxstate_tui.kube.kubeconfig import KubeOptions

MINICLUSTER: dict[str, Any] = {
    "apiVersion": "flux-framework.org/v1alpha2",
    "kind": "MiniCluster",
    "metadata": {"name": "flux-sample"},
    "spec": {
        "size": 2,
        "interactive": True,
        "archive": {"path": "/state/archive.tar.gz"},
        "containers": [
            {
                "image": "rockylinux:9",
                "volumes": {"data": {"hostPath": "/data", "path": "/state"}},
            }
        ],
    },
}


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command line left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """Standard output as data: with --json nothing else may be there."""
        return json.loads(self.stdout)


@dataclass(frozen=True, slots=True)
class Target:
    """A cluster with the Flux Operator, and the MiniCluster that tests may make there."""

    kubeconfig: Path
    namespace: str
    manifest: dict[str, Any]
    simulated: bool
    state_dir: Path
    patience: float

    @property
    def name(self) -> str:
        """The MiniCluster's name."""
        return str(self.manifest["metadata"]["name"])

    def sized(self, size: int) -> dict[str, Any]:
        """The manifest with another size."""
        manifest = copy.deepcopy(self.manifest)
        manifest["spec"]["size"] = size
        return manifest

    def another(self, suffix: str) -> Target:
        """Another MiniCluster on the same cluster, with a folder of its own on the volume."""
        manifest = copy.deepcopy(self.manifest)
        name = manifest["metadata"]["name"] = f"{self.name}-{suffix}"
        folder, _, file = manifest["spec"]["archive"]["path"].rpartition("/")
        manifest["spec"]["archive"]["path"] = f"{folder}/{name}/{file}"
        return replace(self, manifest=manifest)

    @asynccontextmanager
    async def api(self) -> AsyncIterator[Cluster]:
        """Our own client, for what tests set up and look at."""
        options = KubeOptions(kubeconfig=str(self.kubeconfig), namespace=self.namespace)
        async with await Cluster.open(options) as cluster:
            yield cluster

    async def create(self, size: int) -> None:
        """Apply the manifest with that size and wait until its broker runs."""
        async with self.api() as cluster:
            resource = await cluster.minicluster_resource()
            await cluster.create(resource, self.sized(size), self.namespace)
        await self.until_phase("Up")

    async def remove(self) -> None:
        """No MiniCluster of that name is left (its archives stay)."""
        async with self.api() as cluster:
            resource = await cluster.minicluster_resource()
            try:
                await cluster.delete(resource, self.name, self.namespace)
            except NotFound:
                return

    async def until_phase(self, phase: str) -> None:
        """Wait until that is the state of the MiniCluster."""
        async with asyncio.timeout(self.patience):
            while True:
                if (await self.minicluster())["phase"] == phase:
                    return

    async def minicluster(self) -> dict[str, Any]:
        """What `get miniclusters NAME --json` says of it."""
        found = await self.fluxstate("get", "miniclusters", self.name, "--json")
        assert found.code == 0, found.stderr
        first: dict[str, Any] = found.json["miniclusters"][0]
        return first

    async def jobs(self) -> dict[int, dict[str, Any]]:
        """What `get jobs NAME --json` says, by job id."""
        found = await self.fluxstate("get", "jobs", self.name, "--json")
        assert found.code == 0, found.stderr
        return {job["id"]: job for job in found.json["jobs"]}

    async def archives(self) -> set[str]:
        """The ids of its saved archives: a real volume still has those of earlier tests."""
        found = await self.fluxstate("get", "archives", self.name, "--json")
        assert found.code == 0, found.stderr
        return {archive["id"] for archive in found.json["archives"]}

    async def submit(self, *command: str, count: int = 1, tasks: int = 1) -> list[int]:
        """Submit jobs; returns their ids."""
        made = await self.fluxstate(
            "submit", self.name, "--count", str(count), "--ntasks", str(tasks), "--json",
            "--", *command,
        )  # fmt: skip
        assert made.code == 0, made.stderr
        return [job["id"] for job in made.json["jobs"]]

    async def until_done(self, *ids: int) -> None:
        """Wait until these jobs are inactive."""
        async with asyncio.timeout(self.patience):
            while True:
                jobs = await self.jobs()
                if all(jobs[job]["state"] == "INACTIVE" for job in ids):
                    return

    async def fluxstate(self, *arguments: str) -> Finished:
        """Run the installed program as a user would, without a terminal."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "fluxstate_tui",
            "--kubeconfig",
            str(self.kubeconfig),
            "--namespace",
            self.namespace,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "FLUXSTATE_STATE_DIR": str(self.state_dir)},
        )
        stdout, stderr = await asyncio.wait_for(process.communicate(), self.patience)
        return Finished(process.returncode or 0, stdout.decode(), stderr.decode())
