"""Which version of MiniCluster a cluster serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxstate_tui.kube.errors import NOTHING_CHANGED, CrdMissing, Forbidden
from fluxstate_tui.kube.resources import (
    FLUX_GROUP,
    MINICLUSTERS,
    MINICLUSTERS_V1ALPHA1,
    Resource,
)

if TYPE_CHECKING:
    from fluxstate_tui.kube.session import Cluster

_KNOWN = (MINICLUSTERS, MINICLUSTERS_V1ALPHA1)


async def find_minicluster_resource(cluster: Cluster) -> Resource:
    """Ask `/apis/flux-framework.org`. Raises CrdMissing if the Flux Operator is not there."""
    try:
        group = await cluster.request("GET", f"/apis/{FLUX_GROUP}")
    except Forbidden:
        # Discovery is open to everybody who is logged in; where it was closed, guess the newest.
        return MINICLUSTERS
    served = {str(version.get("version")) for version in group.get("versions") or ()}
    for resource in _KNOWN:
        if resource.version in served:
            return resource
    raise CrdMissing(
        f"This cluster serves MiniClusters only as {', '.join(sorted(served)) or 'nothing'}.",
        safe=NOTHING_CHANGED,
        advice="fluxstate-tui knows v1alpha1 and v1alpha2.",
    )
