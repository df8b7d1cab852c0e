"""The program in a process of its own, so that it can be killed with SIGKILL."""

from __future__ import annotations

import asyncio
import multiprocessing
from multiprocessing.process import BaseProcess
from pathlib import Path

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.cli import logfile
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.operations import journal

from .actor import Actor
from .attic import Attic
from .clock import PatientClock
from .points import PREPARE
from .scenarios import BY_NAME

# What a fresh start of the program imports; its forks have it already.
_PRELOAD = [
    "tests.faults.matrix.program",
    "fluxstate_tui.kube.transport",
    "fluxstate_tui.kube.exec",
]
_forks = multiprocessing.get_context("forkserver")


def start(
    scenario: str, attic: Attic, kubeconfig: Path, state_dir: Path, clock: PatientClock
) -> BaseProcess:
    """Run an operation in another process, by the same clock."""
    _forks.set_forkserver_preload(_PRELOAD)
    arguments = (scenario, attic, kubeconfig, state_dir, clock)
    process = _forks.Process(target=_main, args=arguments)
    process.start()
    return process


def _main(
    scenario: str, attic: Attic, kubeconfig: Path, state_dir: Path, clock: PatientClock
) -> None:
    async def run() -> None:
        options = KubeOptions(kubeconfig=str(kubeconfig))
        async with await Cluster.open(options, clock) as cluster:
            context = OperationContext(cluster, clock, state_dir, "me@test")
            try:
                await BY_NAME[scenario].run(Actor(context, kubeconfig), attic)
            except FluxstateError:
                return

    logfile.begin(str(state_dir))
    asyncio.run(run())


def step_of(state_dir: Path) -> str:
    """Where the journal says that the operation is."""
    found = sorted((state_dir / "journal").glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    record = journal.read(found[-1]) if found else None
    return (record.last_step if record is not None else "") or PREPARE
