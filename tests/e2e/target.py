"""Where an end-to-end test runs: a simulated cluster, or a real one given by the command line."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

    async def fluxstate(self, *arguments: str) -> Finished:
        """Run the installed program as a user would, without a terminal."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "fluxstate_tui",
            *arguments,
            "--kubeconfig",
            str(self.kubeconfig),
            "-n",
            self.namespace,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "FLUXSTATE_STATE_DIR": str(self.state_dir)},
        )
        stdout, stderr = await asyncio.wait_for(process.communicate(), self.patience)
        return Finished(process.returncode or 0, stdout.decode(), stderr.decode())
