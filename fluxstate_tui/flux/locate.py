"""Ask the API server where a MiniCluster's lead broker runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxstate_tui.flux.endpoint import Endpoint, NoLead, find_endpoint
from fluxstate_tui.kube.errors import Forbidden, NotFound
from fluxstate_tui.kube.resources import JOBS, PODS

if TYPE_CHECKING:
    from fluxstate_tui.kube.session import Cluster
    from fluxstate_tui.model.minicluster import MiniCluster


async def locate(cluster: Cluster, minicluster: MiniCluster) -> Endpoint:
    """The lead's container right now.

    Raises NoLead (no Job, no pod, not running), or the KubeError of the request.
    """
    ref = minicluster.ref
    try:
        job = await cluster.get(JOBS, ref.name, ref.namespace)
    except NotFound:
        raise NoLead(f"MiniCluster {ref} has no Job yet.", safe="Nothing was asked.") from None
    except Forbidden:
        job_uid = ""  # without this right the Job's name has to do
    else:
        owners = job["metadata"].get("ownerReferences") or []
        if not any(owner.get("uid") == ref.uid for owner in owners):
            raise NoLead(
                f"The Job of MiniCluster {ref} belongs to an earlier one.",
                safe="Nothing was asked.",
            )
        job_uid = job["metadata"]["uid"]
    pods = await cluster.list(PODS, ref.namespace, label_selector=f"job-name={ref.name}")
    return find_endpoint(minicluster, pods, job_uid)
