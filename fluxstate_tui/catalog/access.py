"""The catalog from wherever it can be reached: the lead's container, or a helper pod."""

from __future__ import annotations

import posixpath
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fluxstate_tui.archive.manifest import CatalogEntry, folder_of
from fluxstate_tui.broker import manifest_cache
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.files import RemoteFiles
from fluxstate_tui.broker.objects import read_lead
from fluxstate_tui.broker.retry import RetryingFiles
from fluxstate_tui.catalog.catalog import is_there
from fluxstate_tui.catalog.contents import Contents
from fluxstate_tui.catalog.helper_pod import HelperPod, HelperPodNeededError, pod_for, pod_words
from fluxstate_tui.catalog.records import recorded_facts
from fluxstate_tui.catalog.signed import read_signed
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.errors import Forbidden
from fluxstate_tui.kube.manifest import for_create
from fluxstate_tui.kube.objects import parse_minicluster
from fluxstate_tui.minicluster.archive_volume import archive_volume, volumes_of
from fluxstate_tui.minicluster.minicluster import ClusterRef, MiniCluster

# A MiniCluster that runs and has the same volume: through it one can look without any new pod.


@dataclass(frozen=True, slots=True)
class Beside:
    """Its files, and where the other one's `archive.path` is in them."""

    ref: ClusterRef
    files: RemoteFiles
    archive_path: str


async def running_beside(context: OperationContext, manifest: dict[str, Any]) -> Beside | None:
    """The first one in its namespace whose lead runs; None without one, or without the right to
    list them. A directory of a node may be another one on another node."""
    wanted = archive_volume(manifest["spec"])
    if wanted is None or not (source := _source(wanted)):
        return None
    resource = await context.cluster.minicluster_resource()
    try:
        living = await context.cluster.list(resource, manifest["metadata"]["namespace"])
    except Forbidden:
        return None
    inside = posixpath.relpath(manifest["spec"]["archive"]["path"], wanted["path"])
    for raw in living:
        for mounted in _mounts(raw, source):
            found = parse_minicluster(raw)
            lead = await read_lead(context, found)
            if lead.running:
                place = (found.ref.namespace, lead.pod, lead.container)
                files = RetryingFiles(context.cluster, context.clock, place, lead.mounts)
                return Beside(found.ref, files, posixpath.join(mounted, inside))
    return None


def _mounts(raw: dict[str, Any], source: tuple[str, str]) -> Iterator[str]:
    for volume in volumes_of(raw.get("spec") or {}):
        if _source(volume) == source:
            yield str(volume["path"])


def _source(volume: dict[str, Any]) -> tuple[str, str] | None:
    for kind in ("hostPath", "claimName"):
        if volume.get(kind):
            return kind, str(volume[kind])
    return None


@dataclass(frozen=True, slots=True)
class CatalogView:
    """What lies beside one `archive.path`, newest first; `facts` is what was verified here."""

    archive_path: str
    entries: tuple[CatalogEntry, ...]
    armed: bool
    facts: Mapping[str, Contents] = field(default_factory=dict)


async def view_catalog(
    context: OperationContext,
    minicluster: MiniCluster | None,
    name: str,
    reach: Reach,
) -> CatalogView:
    """Read it; `name` is that of a MiniCluster that does not exist any more (`minicluster` None).

    Raises FluxstateError when there is no place for archives or it cannot be reached.
    """
    async with volume_files(context, minicluster, name, reach) as (files, path):
        namespace = minicluster.ref.namespace if minicluster else context.cluster.namespace
        entries = await read_signed(context, namespace, files, folder_of(path))
        facts = await recorded_facts(files, entries, context.state_dir)
        return CatalogView(path, entries, await is_there(files, path), facts)


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
            files = RetryingFiles(context.cluster, context.clock, place, lead.mounts)
            yield files, _path(minicluster.archive_path, str(minicluster.ref))
            return
    namespace = context.cluster.namespace
    if raw is None:
        raw = manifest_cache.recall(context.state_dir, context.cluster.server, namespace, name)
    if raw is None:
        raise FluxstateError(
            f"nothing is known about a MiniCluster '{name}' in namespace '{namespace}': it does "
            "not exist and was never seen from here",
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
            f"{name} has no spec.archive.path, so it has no catalog",
            safe="Nothing was done.",
            exit_code=ExitCode.NOT_FOUND,
        )
    return path
