"""A simulated cluster with one MiniCluster, and what may never be broken on it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.broker.commands import run_flux
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.locate import locate
from fluxstate_tui.broker.objects import read_minicluster
from fluxstate_tui.clock import Clock
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.job import Job
from fluxstate_tui.flux.job_json import job_from_json
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import journal
from fluxstate_tui.operations.base import Choices, OperationKind, Outcome, OutcomeKind, StepEvent
from fluxstate_tui.operations.registry import prepare
from fluxstate_tui.operations.restore.steps import bring_up
from fluxstate_tui.sim.files import Files
from fluxstate_tui.sim.server import SimulatedCluster
from fluxstate_tui.sim.worlds.manifests import tutorial_minicluster

NAMESPACE, NAME = "default", "flux-sample"
ANY = ClusterRef(NAMESPACE, NAME, "")
ARMED = "archive.tar.gz"
FOLDER = "/fluxstate"
SPEED = 40.0


def agreed(choices: Choices | None = None) -> Choices:
    """As of somebody who says `--yes`: a helper pod may be started for the plan."""
    return replace(choices or Choices(), start_helper_pod=True)


@dataclass
class Stage:
    """Short words for what tests do and look at. `seen` are all steps of all operations."""

    sim: SimulatedCluster
    context: OperationContext
    seen: list[StepEvent] = field(default_factory=list)

    async def create(self, size: int = 2, **spec: object) -> None:
        """The tutorial's MiniCluster with changes of its spec, up."""
        resource = await self.context.cluster.minicluster_resource()
        body = tutorial_minicluster(self.sim.state.flavour, NAME, size)
        body["spec"] |= spec
        await self.context.cluster.create(resource, body, NAMESPACE)
        await self.up()

    async def up(self, ref: ClusterRef = ANY) -> None:
        """Wait until its broker runs."""
        world = await bring_up(self.context, ref, 300.0, lambda text: None)
        await world.close()

    async def answers(self) -> None:
        """Wait until the API server does."""
        while True:
            try:
                await self.context.cluster.request_bytes("GET", "/livez")
            except FluxstateError:
                await asyncio.sleep(0.05)
            else:
                return

    async def restarted(self) -> None:
        """Wait until the lead's container has died, and its broker runs again."""
        while self.sim.state.instance(NAMESPACE, NAME) is not None:
            await self.sim.clock.sleep(0.5)
        await self.up()

    async def ref(self) -> ClusterRef:
        """The living one."""
        return (await read_minicluster(self.context, ANY)).ref

    async def flux(self, *words: str) -> str:
        """A flux command in the lead's container, as people run it."""
        found = await read_minicluster(self.context, ANY)
        cluster = self.context.cluster
        return await run_flux(cluster, await locate(cluster, found), words)

    async def submit(self, *words: str) -> int:
        """One job; its id."""
        text = await self.flux("submit", *words)
        return int((await self.flux("job", "id", "--to=dec", text.strip())).strip())

    async def jobs(self) -> dict[int, Job]:
        """What Flux says there is."""
        listed = json.loads(await self.flux("jobs", "-a", "-A", "-c0", "--json"))
        return {job.id: job for job in map(job_from_json, listed["jobs"])}

    async def started(self) -> bool:
        """Whether the queue schedules."""
        return "Scheduling is started" in await self.flux("queue", "status")

    async def do(self, kind: str, choices: Choices | None = None, typed: str = "") -> Outcome:
        """Prepare and run one operation. An error of prepare() is raised."""
        ref = ANY if kind == "restore" else await self.ref()
        operation = await prepare(OperationKind(kind), self.context, ref, agreed(choices))
        return await operation.run(self.seen.append, typed)

    async def well(self, kind: str, choices: Choices | None = None) -> Outcome:
        """The same, and it must be completed."""
        outcome = await self.do(kind, choices)
        assert outcome.kind is OutcomeKind.COMPLETED, outcome
        return outcome

    # -- the volume, looked at behind everybody's back ----------------------------------------

    @property
    def volume(self) -> Files:
        """The directory on the node that the MiniCluster mounts at /state."""
        return Files({"/": self.sim.state.volumes.host_path("/data")})

    def files(self) -> dict[str, str]:
        """Name and checksum of everything in the catalog."""
        if not self.volume.exists(FOLDER):
            return {}
        return {
            name: hashlib.sha256(self.volume.read(f"{FOLDER}/{name}")).hexdigest()
            for name in self.volume.listdir(FOLDER)
        }

    def finished(self) -> dict[str, str]:
        """The catalog without what is still being written."""
        return {name: sha for name, sha in self.files().items() if not name.startswith(".")}

    def forget_archives(self, keep: Collection[str] = ()) -> None:
        """Only these files in the catalog, so that many rounds do not get slower."""
        for name in self.files().keys() - set(keep):
            self.volume.unlink(f"{FOLDER}/{name}")

    def armed(self) -> bool:
        """Whether an archive lies at `archive.path`."""
        return self.volume.exists(f"/{ARMED}")

    def archived(self) -> list[set[int]]:
        """The ids in each archive that has a manifest. Each must be whole."""
        found = []
        for name in self.finished():
            if name.endswith(".json"):
                data = self.volume.read(f"{FOLDER}/{name.removesuffix('.json')}.tar.gz")
                archive = read_archive(data)
                assert archive.complete, (name, archive.findings)
                found.append({archived.job.id for archived in archive.jobs})
        return found

    def unfinished(self) -> list[str]:
        """Operations that the next start will ask about."""
        return [record.operation for record in journal.unfinished(self.context.state_dir)]


@asynccontextmanager
async def staged(
    folder: Path,
    *,
    speed: float = SPEED,
    flavour: str = "2026-06",
    clock: Clock | None = None,
) -> AsyncIterator[Stage]:
    """A cluster without any MiniCluster yet; `flavour` is a version of the operator."""
    async with SimulatedCluster(speed=speed, flavour=flavour, clock=clock) as sim:
        path = sim.write_kubeconfig(folder / "kubeconfig")
        async with await Cluster.open(KubeOptions(kubeconfig=str(path)), sim.clock) as cluster:
            yield Stage(sim, OperationContext(cluster, sim.clock, folder / "state", "me@test"))


async def attempt(stage: Stage, kind: str, choices: Choices | None = None) -> Outcome | None:
    """One operation that may fail; None when it was not even begun (prepare() refused)."""
    try:
        return await stage.do(kind, choices)
    except FluxstateError:
        return None


async def broken_at(
    stage: Stage, kind: str, fault: dict[str, object], skip: int, choices: Choices | None = None
) -> tuple[Outcome | None, bool]:
    """One operation with a fault after `skip` matching requests; whether it was reached."""
    stage.sim.faults.add(str(fault["kind"]), **{**_options(fault), "skip": skip})
    outcome = await attempt(stage, kind, choices)
    reached = not stage.sim.faults.active
    stage.sim.faults.clear()
    return outcome, reached


def _options(fault: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in fault.items() if key != "kind"}
