"""What a migration may need to do on both sides, asked before anything is touched.

Refused in the middle it would be undone, after the queue was closed, saved and restored for
nothing.
"""

from __future__ import annotations

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.errors import Forbidden
from fluxstate_tui.kube.request_info import RequestInfo
from fluxstate_tui.kube.resources import PODS, Resource
from fluxstate_tui.operations.context import OperationContext


async def require_rights(
    source: OperationContext, old: str, destination: OperationContext, new: str
) -> None:
    """Raise Forbidden for the first right that is missing; `old` and `new` are the namespaces.

    The helper pod, exec and the undo belong to the new side, the delete to the old one.
    """
    for context, namespace, verbs in (
        (source, old, ("delete",)),
        (destination, new, ("create", "delete")),
    ):
        resource = await context.cluster.minicluster_resource()
        for verb in verbs:
            await _require(context, verb, resource, namespace)
    for verb in ("create", "delete"):
        await _require(destination, verb, PODS, new)
    for verb in ("get", "create"):
        await _require(destination, verb, PODS, new, "exec")


async def _require(
    context: OperationContext, verb: str, resource: Resource, namespace: str, sub: str = ""
) -> None:
    access = context.cluster.access
    try:
        allowed = await access.can(verb, resource, namespace, subresource=sub)
    except FluxstateError:
        return  # where it may not be asked, the request itself will say
    if not allowed:
        name = f"{resource.plural}/{sub}" if sub else resource.plural
        info = RequestInfo(verb, resource.group, name, namespace, "")
        raise Forbidden(info, "", context.cluster.user)
