"""The world of `--demo`: MiniClusters in every state worth looking at, and one that lives."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from fluxstate_tui.sim.files import Files
from fluxstate_tui.sim.flux.instance import FluxInstance
from fluxstate_tui.sim.flux.jobspecs import JobRequest
from fluxstate_tui.sim.worlds.history import Past, live_through, save
from fluxstate_tui.sim.worlds.manifests import DATA, minicluster, with_defaults

if TYPE_CHECKING:
    from fluxstate_tui.sim.server import ClusterState


NAMESPACE = "default"
BUSY, PAUSED, STARTING, BROKEN, DEAD, FINISHED = (
    "lammps-sweep", "training", "nightly", "gpu-test", "genome-run", "smoke-test",
)  # fmt: skip
_DAY = 86400.0
_MOST_PENDING = 12


def busy_request(rng: random.Random) -> JobRequest:
    """One of the jobs that people submit."""
    ligand = rng.randrange(100, 999)
    kinds = (
        (5, JobRequest(["sleep", str(rng.randint(20, 70))], ntasks=4, name="lmp-reaxff")),
        (3, JobRequest(["sleep", str(rng.randint(40, 110))], ntasks=8, nnodes=2, name="gmx-mdrun")),
        (4, JobRequest(["bash", "-c", f"echo docking ligand {ligand}; sleep 9; echo score -7.2"],
                       name="dock")),
        (3, JobRequest(["bash", "-c", "echo reading 4096 atoms; sleep 5"], name="preprocess")),
        (2, JobRequest(["hostname"], ntasks=4, nnodes=4, name="hostname")),
        (2, JobRequest(["sleep", "30"], ntasks=2, cores_per_task=2, name="train-epoch")),
        (1, JobRequest(["bash", "-c", "echo frame 17: checksum differs >&2; sleep 2; exit 3"],
                       name="validate")),
        (1, JobRequest(["sleep", "300"], duration=25, name="long-relax")),
        (1, JobRequest(["sleep", "150"], ntasks=2, name="monitor")),
        (1, JobRequest(["nosuch-program", "--version"], name="nosuch-program")),
    )  # fmt: skip
    weights = [weight for weight, _ in kinds]
    return rng.choices([request for _, request in kinds], weights)[0]


def pending_requests() -> list[JobRequest]:
    """What waits in the paused queue."""
    epochs = [JobRequest(["sleep", "40"], ntasks=4, name=f"epoch-{n:02}") for n in range(1, 9)]
    return [*epochs, JobRequest(["bash", "-c", "echo report written"], name="report")]


def _archive_path(name: str) -> dict[str, str]:
    """Every MiniCluster has a folder of its own on the volume."""
    return {"path": f"/state/{name}/archive.tar.gz"}


def _create(state: ClusterState, name: str, size: int, **spec: object) -> None:
    body = minicluster(name, size, namespace=NAMESPACE, archive=_archive_path(name), **spec)
    state.store.create(state.flavour.kind, with_defaults(state.flavour, body))


def _container(image: str, command: str = "") -> list[dict[str, object]]:
    volume = {"data": {"hostPath": DATA, "path": "/state"}}
    container: dict[str, object] = {"image": image, "volumes": volume}
    if command:
        container["command"] = command
    return [container]


def _write(state: ClusterState, folder: str, files: dict[str, bytes]) -> None:
    data = Files({"/": state.volumes.host_path(DATA)})
    data.makedirs(folder)
    for name, content in files.items():
        data.write(f"{folder}/{name}", content)


async def demo(state: ClusterState) -> None:
    """Fill the catalogs, create the MiniClusters, and let people work with them."""
    await _save_pasts(state)
    _create(state, BUSY, 4, maxSize=6)
    _create(state, PAUSED, 2)
    _create(state, BROKEN, 2, containers=_container("registry.local/gpu-app-typo:12"))
    _create(state, DEAD, 2)
    smoke = _container("rockylinux:9", "hostname")
    _create(state, FINISHED, 2, interactive=False, containers=smoke)
    state.manager.spawn(_keep_busy(state))
    state.manager.spawn(_pause(state))
    state.manager.spawn(_start_late(state))


async def _save_pasts(state: ClusterState) -> None:
    now, rng = state.clock.now(), random.Random(7)
    for days, jobs in ((3.2, 18), (1.1, 26)):
        requests = [busy_request(rng) for _ in range(jobs)]
        past = Past(BUSY, 4, now - days * _DAY, requests, jobs * 6.0, state.store.new_uid())
        saved = await save(past, NAMESPACE)
        _write(state, f"/{BUSY}/fluxstate", saved.files())
    past = Past(PAUSED, 2, now - 0.4 * _DAY, pending_requests(), 60.0, state.store.new_uid())
    saved = await save(past, NAMESPACE)
    _write(state, f"/{PAUSED}/fluxstate", saved.files())
    foreign, _ = await live_through(Past(PAUSED, 2, now - 6 * _DAY, pending_requests()[:3], 30.0))
    _write(state, f"/{PAUSED}/fluxstate", {"before-upgrade.tar.gz": foreign})
    # A dump that was cut off lies armed: the broker of that MiniCluster cannot start.
    _write(state, f"/{DEAD}", {"archive.tar.gz": foreign[: len(foreign) * 6 // 10]})


async def _instance(state: ClusterState, name: str) -> FluxInstance:
    """Wait until its broker runs."""
    while True:
        instance = state.instance(NAMESPACE, name)
        if instance is not None and instance.state == "run":
            return instance
        await state.clock.sleep(2)


async def _keep_busy(state: ClusterState) -> None:
    """People submit jobs, but not to a queue that is stopped."""
    rng = random.Random(11)
    while True:
        instance = await _instance(state, BUSY)
        jobs = instance.jobs
        waiting = sum(jobs.jobs[job_id].state.pending for job_id in jobs.active)
        started = instance.control.queue_status(None).get("start", False)
        if started and waiting < _MOST_PENDING:
            urgency = rng.choices((16, 20, 31, 0), (20, 3, 1, 1))[0]
            jobs.submit(busy_request(rng).jobspec(), urgency=urgency)
        await state.clock.sleep(rng.uniform(2.0, 9.0))


async def _pause(state: ClusterState) -> None:
    """Some jobs done, some waiting, the queue stopped."""
    instance = await _instance(state, PAUSED)
    for request in pending_requests():
        instance.jobs.submit(request.jobspec())
    await state.clock.sleep(45)
    instance.control.queue_start({"start": False, "all": True, "reason": "maintenance"})


async def _start_late(state: ClusterState) -> None:
    """A MiniCluster whose view is large comes up while one looks."""
    await state.clock.sleep(130)
    view = {"image": "ghcr.io/converged-computing/flux-view-spack:tag-9"}
    _create(state, STARTING, 3, flux={"container": view})
