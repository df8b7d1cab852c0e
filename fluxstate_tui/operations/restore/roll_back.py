"""After a restore that failed: no armed archive may stay behind unnoticed."""

from __future__ import annotations

from typing import Any

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.errors import NotFound
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.catalogue.helper_pod import HelperPod
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.restore.arming import disarm
from fluxstate_tui.operations.world.patient_files import PatientFiles
from fluxstate_tui.operations.world.read_cluster import read_by_name, read_lead


async def roll_back(
    context: OperationContext, ref: ClusterRef, manifest: dict[str, Any], sha256: str
) -> str:
    """Disarm through the lead's container if it runs, else through a helper pod.

    A MiniCluster that we created (`ref.uid`) and whose lead container never started is deleted
    first: it holds no state, and disarmed under its feet it would come up with an empty queue.
    """
    path = manifest["spec"]["archive"]["path"]
    found = await read_by_name(context, ref) if ref.uid else None
    if found is None or found.ref.uid != ref.uid:
        return await _by_helper_pod(context, manifest, path, sha256)
    lead = await read_lead(context, found)
    if not lead.started:
        await _delete(context, ref)
        said = await _by_helper_pod(context, manifest, path, sha256)
        return f"the MiniCluster that never started is deleted; {said}"
    if lead.running:
        place = (ref.namespace, lead.pod, lead.container)
        files = PatientFiles(context.cluster, context.clock, place, lead.mounts)
        said = await disarm(files, path, sha256)
    else:
        said = await _by_helper_pod(context, manifest, path, sha256)
    return f"{said}; {ref} stays: look at its queue, or delete it and restore again"


async def _by_helper_pod(
    context: OperationContext, manifest: dict[str, Any], path: str, sha256: str
) -> str:
    helper = await HelperPod.start(context, manifest)
    try:
        return await disarm(helper.files, path, sha256)
    finally:
        await helper.remove()


async def _delete(context: OperationContext, ref: ClusterRef) -> None:
    resource = await context.cluster.minicluster_resource()
    try:
        await context.cluster.delete(resource, ref.name, ref.namespace, uid=ref.uid)
    except NotFound:
        return
    except FluxstateError as error:
        raise FluxstateError(
            f"the new MiniCluster {ref} could not be removed: {error.message}",
            advice="It is still armed: delete it, then restore again.",
        ) from error
