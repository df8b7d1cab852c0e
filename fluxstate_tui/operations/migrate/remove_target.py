"""Undo of a migration: the MiniCluster that it created goes, and only that one."""

from __future__ import annotations

import contextlib

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.errors import NotFound
from fluxstate_tui.model.minicluster import MiniCluster
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.delete.owned import Owned
from fluxstate_tui.operations.migrate.plan import TOKEN, Target
from fluxstate_tui.operations.world.alive import is_alive
from fluxstate_tui.operations.world.patience import patiently
from fluxstate_tui.operations.world.read_cluster import read_by_name

GONE_SECONDS = 180.0


async def remove_target(context: OperationContext, target: Target) -> str:
    """Delete it if it is the one that carries this migration's token; wait until it is gone."""
    clock = context.clock
    found = await patiently(clock, lambda: read_by_name(context, target.ref))
    if found is None or not is_ours(found, target):
        return "it is not there"
    owned = Owned(context.cluster, found.ref)
    await patiently(clock, owned.left)
    resource = await context.cluster.minicluster_resource()
    with contextlib.suppress(NotFound):
        await context.cluster.delete(
            resource, found.ref.name, found.ref.namespace, uid=found.ref.uid
        )
    begin = clock.now()
    while True:
        left = await patiently(clock, owned.left)
        if not left and not await is_alive(context, found.ref):
            return "it is gone"
        if clock.now() - begin > GONE_SECONDS:
            raise FluxstateError(f"{target.ref} is still there after {GONE_SECONDS:.0f} s")
        await clock.sleep(1.0)


def is_ours(found: MiniCluster, target: Target) -> bool:
    """Whether this very migration created it."""

    def token(raw: dict[str, object]) -> object:
        metadata = raw["metadata"]
        annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
        return (annotations or {}).get(TOKEN)

    return token(found.raw) == token(target.manifest)
