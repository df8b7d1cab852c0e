"""What is there, seen behind everybody's back: brokers and volumes of the simulated cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fluxstate_tui.archive.manifest import ManifestError, from_bytes, manifest_name
from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.catalog.local_copies import FOLDER as COPIES
from fluxstate_tui.sim.api.kinds import PODS
from tests.faults.stage import FOLDER, NAMESPACE, Stage

SETTLE_SECONDS = 120.0
SUFFIX = ".tar.gz"


@dataclass(frozen=True, slots=True)
class Living:
    """One MiniCluster. `jobs` is None while no broker runs; `open` = starts and accepts jobs."""

    name: str
    uid: str
    leaving: bool
    jobs: frozenset[int] | None = None
    open: bool = False
    started: bool = False


def living(stage: Stage) -> dict[str, Living]:
    """All MiniClusters by name."""
    return {name: _living(stage, name) for name in _names(stage)}


def _names(stage: Stage) -> list[str]:
    kind = stage.sim.state.flavour.kind
    return [item["metadata"]["name"] for item in stage.sim.state.store.objects(kind, NAMESPACE)]


def _living(stage: Stage, name: str) -> Living:
    state = stage.sim.state
    found = state.store.get(state.flavour.kind, NAMESPACE, name)
    assert found is not None
    metadata = found["metadata"]
    leaving = "deletionTimestamp" in metadata
    instance = state.instance(NAMESPACE, name)
    if instance is None or instance.state != "run":
        return Living(name, metadata["uid"], leaving)
    queues = instance.queues.all()
    return Living(
        name,
        metadata["uid"],
        leaving,
        frozenset(instance.jobs.jobs),
        all(queue.started and queue.enabled for queue in queues),
        all(queue.started for queue in queues),
    )


def jobs_now(stage: Stage) -> set[int]:
    """Jobs of all brokers that run."""
    there: set[int] = set()
    return there.union(*(one.jobs or () for one in living(stage).values()))


async def discard(stage: Stage) -> None:
    """Until nothing happens any more by itself, or it takes too long."""
    clock = stage.sim.clock
    end = clock.now() + SETTLE_SECONDS
    while clock.now() < end:
        if all(one.jobs is not None and not one.leaving for one in living(stage).values()):
            return
        await clock.sleep(0.5)


def helpers(stage: Stage) -> list[str]:
    """Helper pods that are there."""
    names = [pod["metadata"]["name"] for pod in stage.sim.state.store.objects(PODS, NAMESPACE)]
    return [name for name in names if name.startswith("fluxstate-")]


def in_archives(stage: Stage) -> set[int]:
    """Jobs of the archives that are what their manifests say."""
    found: set[int] = set()
    for name in stage.finished():
        if name.endswith(SUFFIX):
            found |= sound_jobs(stage, name) or set()
    return found


def in_copies(state_dir: Path) -> set[int]:
    """Jobs of the archives that a delete left on the computer of whoever deleted."""
    copies = [read_archive(path) for path in (state_dir / COPIES).glob(f"*/*{SUFFIX}")]
    return {archived.job.id for copy in copies if copy.complete for archived in copy.jobs}


def sound_jobs(stage: Stage, name: str) -> set[int] | None:
    """The jobs of one archive; None when it is damaged, or no manifest says that it is whole."""
    beside = f"{FOLDER}/{manifest_name(name.removesuffix(SUFFIX))}"
    if not stage.volume.exists(beside):
        return None
    try:
        manifest = from_bytes(stage.volume.read(beside))
    except ManifestError:
        return None
    archive = read_archive(stage.volume.read(f"{FOLDER}/{name}"))
    if not archive.complete or all(part.sha256 != archive.sha256 for part in manifest.parts):
        return None
    return {archived.job.id for archived in archive.jobs}


def lead_pod(stage: Stage, minicluster: str) -> str | None:
    """The pod with index 0, None when there is none."""
    try:
        return stage.sim.state.lead_pod(NAMESPACE, minicluster)
    except LookupError:
        return None
