"""Whether a MiniCluster is there, as far as a delete is concerned."""

from __future__ import annotations

from fluxstate_tui.kube.errors import NotFound
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.world.patience import patiently
from fluxstate_tui.operations.world.read_cluster import read_minicluster


async def is_alive(context: OperationContext, ref: ClusterRef) -> bool:
    """Whether this very object (uid) is there and not being deleted. Raises FluxstateError."""
    try:
        found = await patiently(context.clock, lambda: read_minicluster(context, ref))
    except NotFound:
        return False
    return not found.raw["metadata"].get("deletionTimestamp")
