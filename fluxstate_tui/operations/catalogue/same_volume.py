"""A MiniCluster that runs and has the same volume: through it one can look without any new pod."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fluxstate_tui.flux.files import RemoteFiles
from fluxstate_tui.kube.errors import Forbidden
from fluxstate_tui.kube.objects import parse_minicluster
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.catalogue.place import archive_volume, volumes_of
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.world.patient_files import PatientFiles
from fluxstate_tui.operations.world.read_cluster import read_lead


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
                files = PatientFiles(context.cluster, context.clock, place, lead.mounts)
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
