"""Disarm: take the archive from `spec.archive.path` of a living MiniCluster into the catalog."""

from __future__ import annotations

from fluxstate_tui.archive.manifest import folder_of
from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.rpc import SYNC_KEY
from fluxstate_tui.catalog.catalog import is_there
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.arming import adopt, disarm
from fluxstate_tui.operations.base import Choices, Consent, ConsentKind, OperationKind, Plan, Step
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.snapshot import Snapshot, take_snapshot
from fluxstate_tui.operations.steps import RefusedError, Run, Script, Task

KEEP = Step("keep", "Keep the archive in the catalog", "mv ARCHIVE_PATH FOLDER/ID.tar.gz")
CHECKPOINT = Step("checkpoint", "Make a KVS checkpoint", "flux kvs put --sync KEY=VALUE")


def plan(seen: Snapshot) -> Plan:
    """What a disarm would do. Raises RefusedError when nothing is armed."""
    path = seen.minicluster.archive_path
    if not seen.armed:
        raise RefusedError(
            f"nothing is armed at {path or 'spec.archive.path'}", safe="Nothing was done."
        )
    preview = (
        f"Move {path} into {folder_of(path)}, unless that very archive is there already.",
        "A restarted lead container then keeps its own queue, from a KVS checkpoint made now.",
        "A MiniCluster created anew comes up empty, until a version is restored.",
    )
    consent = Consent(ConsentKind.CONFIRM, f"Disarm {seen.minicluster.ref}?")
    return Plan(OperationKind.DISARM, seen.minicluster.ref, (CHECKPOINT, KEEP), preview, consent)


async def prepare(context: OperationContext, ref: ClusterRef, choices: Choices) -> Operation:
    """Read the world and plan. Raises FluxstateError."""
    client = await MiniClusterClient.open(context, ref)
    try:
        seen = await take_snapshot(client)
        planned = plan(seen)
    except BaseException:
        await client.close()
        raise
    path = client.minicluster.archive_path

    async def keep(run: Run) -> str:
        if not await is_there(client.files, path):
            return "it is gone already"
        found = await client.files.stat(path)
        known = {
            part.sha256
            for entry in seen.catalog
            if entry.manifest and not entry.problem
            for part in entry.manifest.parts
        }
        if found.sha256 in known:
            run.shell_commands(client.file_line("rm", path))
            return f"the catalog has it; {await disarm(client.files, path, found.sha256)}"
        kept = await adopt(client.files, path, ref.name)
        run.shell_commands(client.file_line("mv", path, kept))
        return f"kept as {kept}"

    async def checkpoint(run: Run) -> str:
        run.shell_commands(client.flux_line("kvs", "put", "--sync", f"{SYNC_KEY}=1"))
        return f"root {(await client.kvs_sync())[:20]}"

    script = Script(
        # It is disarmed also when no checkpoint can be made: armed is worse.
        [Task(CHECKPOINT, checkpoint, required=False), Task(KEEP, keep)],
        success=lambda: f"{ref} is disarmed",
        safe="No job and no archive was touched.",
        close=client.close,
    )
    return Operation(context, planned, script)
