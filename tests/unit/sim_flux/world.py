"""A simulated instance with its lead container, in virtual time."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fluxstate_tui.flux.job import JobState
from fluxstate_tui.sim.clock import VirtualClock
from fluxstate_tui.sim.files import Files, Volume
from fluxstate_tui.sim.flux.instance import FluxInstance
from fluxstate_tui.sim.flux.job import SimJob
from fluxstate_tui.sim.machine import Collected, Machine

ARCHIVES = Path(__file__).parents[2] / "data" / "archives"
VIEW = ". /mnt/flux/flux-view.sh; export FLUX_URI=$fluxsocket; "
HOSTS = ["flux-sample-0", "flux-sample-1"]


def archive(name: str) -> bytes:
    """One of the archives that real Flux made."""
    return (ARCHIVES / f"{name}.tar.gz").read_bytes()


def truth(name: str) -> dict[str, Any]:
    """Flux's own account of an archive."""
    with gzip.open(ARCHIVES / "truth.json.gz") as file:
        found: dict[str, Any] = json.load(file)["archives"][f"{name}.tar.gz"]
    return found


@dataclass(slots=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str


class MiniClusterClient:
    """Use `sh` for commands in the lead container; time passes as they need it."""

    def __init__(self, instance: FluxInstance, clock: VirtualClock, machine: Machine) -> None:
        self.instance = instance
        self.clock = clock
        self.machine = machine

    @property
    def files(self) -> Files:
        """The lead container's files; /state is a volume of its own."""
        return self.machine.files

    async def sh(self, script: str, *, limit: float = 7200.0) -> Ran:
        """Run a script in bash, with flux on PATH."""
        io = Collected()
        code = await self.clock.run(
            self.machine.run(["/bin/bash", "-c", VIEW + script], io), limit=limit
        )
        return Ran(code, io.stdout.decode(), io.stderr.decode())

    async def submit(self, arguments: str) -> SimJob:
        """Submit and give the job."""
        ran = await self.sh(f"flux job id $(flux submit {arguments})")
        assert ran.code == 0, ran
        return self.instance.jobs.jobs[int(ran.out)]

    def names(self, *states: JobState) -> set[str]:
        """Names of jobs in these states."""
        jobs = self.instance.jobs.jobs.values()
        return {job.draft.name for job in jobs if job.state in states}

    def job(self, name: str) -> SimJob:
        """The last job of that name."""
        return [job for job in self.instance.jobs.jobs.values() if job.draft.name == name][-1]


def events(job: SimJob) -> list[str]:
    """Names of a job's events."""
    return [event.name for event in job.events()]


@asynccontextmanager
async def world(*, size: int = 2, state_volume: Volume | None = None, layout: str = "v1alpha2",
                wait: str = "run", **options: Any) -> AsyncIterator[MiniClusterClient]:  # fmt: skip
    """An instance whose ranks are all there."""
    clock = options.pop("clock", None) or VirtualClock()
    state = state_volume or Volume("state", now=clock.now)
    files = Files({"/": Volume("root", now=clock.now), "/state": state})
    hosts = [f"flux-sample-{rank}" for rank in range(size)]
    instance = FluxInstance(clock, hosts, **options)
    machine = Machine("flux-sample-0", files, clock, layout=layout, broker=lambda: instance)
    try:
        await clock.run(instance.start(), patience=60)
        if instance.services_up:
            await clock.advance(1.0)  # the other brokers come a little later
            for rank in range(1, size):
                instance.rank_online(rank)
            await clock.run(instance.wait_state(wait))
        yield MiniClusterClient(instance, clock, machine)
    finally:
        await instance.close()
