"""The catalogue from wherever it can be reached: the lead's container, or a helper pod."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fluxstate_tui.archive.catalogue import folder_of
from fluxstate_tui.archive.contents import Contents
from fluxstate_tui.archive.manifest import CatalogueEntry
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.feeds.catalogues import is_there, read_catalogue
from fluxstate_tui.flux.files import RemoteFiles
from fluxstate_tui.kube.manifest import for_create
from fluxstate_tui.model.minicluster import MiniCluster
from fluxstate_tui.operations.catalogue.helper_pod import HelperPod, pod_for, pod_words
from fluxstate_tui.operations.catalogue.known import recorded_facts
from fluxstate_tui.operations.catalogue.same_volume import running_beside
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.restore import last_seen
from fluxstate_tui.operations.script import HelperPodNeededError
from fluxstate_tui.operations.world.patient_files import PatientFiles
from fluxstate_tui.operations.world.read_cluster import read_lead


@dataclass(frozen=True, slots=True)
class CatalogueView:
    """What lies beside one `archive.path`, newest first; `facts` is what was verified here."""

    archive_path: str
    entries: tuple[CatalogueEntry, ...]
    armed: bool
    facts: Mapping[str, Contents] = field(default_factory=dict)


async def view_catalogue(
    context: OperationContext,
    minicluster: MiniCluster | None,
    name: str,
    reach: Reach,
) -> CatalogueView:
    """Read it; `name` is that of a MiniCluster that does not exist any more (`minicluster` None).

    Raises FluxstateError when there is no place for archives or it cannot be reached.
    """
    async with volume_files(context, minicluster, name, reach) as (files, path):
        entries = await read_catalogue(files, folder_of(path))
        facts = await recorded_facts(files, entries, context.state_dir)
        return CatalogueView(path, entries, await is_there(files, path), facts)


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be done to get at archives when their MiniCluster does not run.

    A `dry_run` looks through another MiniCluster with the same volume, and starts nothing.
    """

    start_helper_pod: bool = False
    writes: bool = False
    dry_run: bool = False


@asynccontextmanager
async def volume_files(
    context: OperationContext,
    minicluster: MiniCluster | None,
    name: str,
    reach: Reach,
) -> AsyncIterator[tuple[RemoteFiles, str]]:
    """Files of a container that has the volume, and `archive.path` on it.

    Raises HelperPodNeededError when only a helper pod could have them, and none may be started.
    """
    raw = minicluster.raw if minicluster else None
    if minicluster is not None:
        lead = await read_lead(context, minicluster)
        if lead.running:
            place = (minicluster.ref.namespace, lead.pod, lead.container)
            files = PatientFiles(context.cluster, context.clock, place, lead.mounts)
            yield files, _path(minicluster.archive_path, str(minicluster.ref))
            return
    if raw is None:
        cluster = context.cluster
        raw = last_seen.recall(context.state_dir, cluster.server, cluster.namespace, name)
    if raw is None:
        raise FluxstateError(
            f"nothing is known about a MiniCluster '{name}': it was never seen from here",
            safe="Nothing was done.",
            exit_code=ExitCode.NOT_FOUND,
        )
    manifest = for_create(raw)
    path = _path(str((manifest["spec"].get("archive") or {}).get("path") or ""), name)
    beside = await running_beside(context, manifest) if reach.dry_run else None
    if beside is not None:
        yield beside.files, beside.archive_path
        return
    if reach.dry_run or not reach.start_helper_pod:
        pod = pod_words(pod_for(manifest, "", image=context.helper_image))
        raise HelperPodNeededError(pod)
    helper = await HelperPod.start(context, manifest, writes=reach.writes)
    try:
        yield helper.files, path
    finally:
        await helper.remove()


def _path(path: str, name: str) -> str:
    if not path:
        raise FluxstateError(
            f"{name} has no spec.archive.path, so it has no catalogue",
            safe="Nothing was done.",
            exit_code=ExitCode.NOT_FOUND,
        )
    return path
