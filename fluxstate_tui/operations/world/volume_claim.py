"""Whether the claim of the archives' volume is on its way out.

A claim that was deleted stays `Terminating` while a pod uses it, and goes with the last pod. With
the reclaim policy `Delete`, the default of volumes that a StorageClass made, its files go as well
(seen on Kubernetes 1.35: the archives of a delete could not be reached any more).
"""

from __future__ import annotations

from fluxstate_tui.kube.errors import Forbidden, NotFound
from fluxstate_tui.kube.resources import PVCS
from fluxstate_tui.model.minicluster import MiniCluster
from fluxstate_tui.operations.catalogue.place import archive_volume
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.world.patience import patiently


async def going_claim(context: OperationContext, minicluster: MiniCluster) -> str:
    """The claim's name if it is being deleted, else ''; '' too where it may not be read."""
    volume = archive_volume(minicluster.raw.get("spec") or {})
    name = str((volume or {}).get("claimName") or "")
    if not name:
        return ""
    namespace = minicluster.ref.namespace
    try:
        claim = await patiently(
            context.clock, lambda: context.cluster.get(PVCS, name, namespace), seconds=10.0
        )
    except (Forbidden, NotFound):
        return ""
    return name if claim["metadata"].get("deletionTimestamp") else ""
