"""Migrate: a living MiniCluster goes to another size, image, name, namespace or cluster."""

from __future__ import annotations

import secrets
from dataclasses import replace

from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.objects import going_claim, read_by_name
from fluxstate_tui.broker.retry import retry
from fluxstate_tui.catalog.helper_pod import pod_for
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.errors import Forbidden
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.minicluster.spec_check import dropped
from fluxstate_tui.operations.arming import still_armed
from fluxstate_tui.operations.base import Choices, LeftBehind, OperationKind
from fluxstate_tui.operations.journal import Record
from fluxstate_tui.operations.migrate import plan as migrate_plan
from fluxstate_tui.operations.migrate.plan import Target, require_rights
from fluxstate_tui.operations.migrate.steps import Migrating
from fluxstate_tui.operations.moves import move_of
from fluxstate_tui.operations.restore.plan import Neighbour, dangers, require_valid
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.snapshot import Snapshot, describe, take_snapshot
from fluxstate_tui.operations.steps import RefusedError


async def prepare(
    context: OperationContext,
    ref: ClusterRef,
    choices: Choices,
    destination: OperationContext | None = None,
) -> Operation:
    """Read the world and plan; `destination` is another cluster than the one that it lives in.

    Raises FluxstateError when it cannot be saved, when the new name is taken, or when the API
    server would not take the new manifest (asked by a dry run).
    """
    where = destination or context
    if where.cluster.read_only:
        raise RefusedError(f"{where.cluster.context} is read-only", safe="Nothing was done.")
    client = await MiniClusterClient.open(context, ref)
    try:
        seen = await take_snapshot(client)
        seen = replace(seen, going_claim=await going_claim(context, seen.minicluster))
        place = where.cluster.context if destination is not None else ""
        target = migrate_plan.target_of(seen, choices, place, secrets.token_hex(6))
        planned = migrate_plan.plan(seen, target, choices)
        await require_rights(context, seen.minicluster.ref.namespace, where, target.ref.namespace)
        await _require_possible(where, target)
        warnings = await _dangers(where, target, seen.minicluster.ref)
        planned = replace(planned, preview=(*planned.preview, *warnings))
    except BaseException:
        await client.close()
        raise
    migrating = Migrating(
        source=context, destination=where, client=client, seen=seen, target=target, choices=choices
    )
    migrating.add_tasks(planned)
    return Operation(context, planned, migrating.script)


async def _dangers(context: OperationContext, target: Target, old: ClusterRef) -> tuple[str, ...]:
    """What it could do to other MiniClusters; nothing without the right to list them."""
    resource = await context.cluster.minicluster_resource()
    try:
        living = await context.cluster.list(resource, target.ref.namespace)
    except Forbidden:
        return ()
    others = [item for item in living if item["metadata"]["uid"] != old.uid]
    return dangers(target.manifest, (), [Neighbour(item) for item in others])


async def _require_possible(context: OperationContext, target: Target) -> None:
    """Everything that can be known before anything is touched."""
    resource = await context.cluster.minicluster_resource()
    require_valid(target.manifest, resource.version)
    pod_for(target.manifest, "check")
    ref = target.ref
    taken = await retry(context.clock, lambda: read_by_name(context, ref))
    if target.beside and taken is not None:
        raise RefusedError(
            f"{target} exists", safe="Nothing was done.", advice="Choose another name."
        )
    asked = {**target.manifest, "metadata": {**target.manifest["metadata"]}}
    if not target.beside:
        # The name is taken by the old one until it is gone.
        asked["metadata"]["name"] = f"{ref.name[:40]}-{secrets.token_hex(2)}"
    stored = await retry(
        context.clock,
        lambda: context.cluster.create(resource, asked, ref.namespace, dry_run=True),
    )
    lost = dropped(asked["spec"], stored.get("spec") or {})
    if lost:
        raise FluxstateError(
            f"the API server would drop {', '.join(lost)}",
            safe="Nothing was done.",
            exit_code=ExitCode.REFUSED,
        )


def recover(record: Record, seen: Snapshot | None) -> LeftBehind | None:
    """What is left of one that was cut off: nothing at all, or the new one, armed or stopped.

    `record.target` has no uid where the new one was looked at.
    """
    if seen is None:
        return _nowhere(record)
    if record.target.uid:
        return None
    if seen.armed:
        return still_armed(seen.minicluster)
    if seen.started or not record.facts.get("open"):
        return None
    says = f"The old one is gone; the queue here is stopped: {describe(seen.pending)} wait."
    return LeftBehind(says, OperationKind.RESUME)


def _nowhere(record: Record) -> LeftBehind | None:
    move, copy = move_of(record), record.facts.get("copy")
    if not copy and (move is None or move.deleted is None):
        return None
    archive = record.facts.get("archive", "")
    says = f"The old one is gone and no new one is there: {archive} has every job."
    if copy:
        says += f" (And so has a copy on this computer: {copy})"
    return LeftBehind(says, OperationKind.RESTORE)
