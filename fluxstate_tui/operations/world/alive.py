"""Whether a MiniCluster is there, as far as a delete is concerned."""

from __future__ import annotations

from fluxstate_tui.kube.errors import CrdMissing, NotFound
from fluxstate_tui.model.minicluster import MiniCluster
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.world.patience import patiently
from fluxstate_tui.operations.world.read_cluster import read_minicluster


async def find(context: OperationContext, ref: ClusterRef) -> MiniCluster | None:
    """This very object (uid), None when it is gone. Raises FluxstateError when nobody can say."""
    try:
        return await patiently(context.clock, lambda: read_minicluster(context, ref))
    except CrdMissing:
        raise
    except NotFound:
        return None


async def is_alive(context: OperationContext, ref: ClusterRef) -> bool:
    """Whether this very object (uid) is there and not being deleted. Raises FluxstateError."""
    found = await find(context, ref)
    return found is not None and not found.raw["metadata"].get("deletionTimestamp")
