"""Disarm: take the archive from `spec.archive.path` of a living MiniCluster into the catalogue."""

from __future__ import annotations

from fluxstate_tui.archive.catalogue import folder_of
from fluxstate_tui.feeds.catalogues import is_there
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.choices import Choices
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.plan import Consent, ConsentKind, Plan, Step
from fluxstate_tui.operations.queue.checkpoint import SYNC_KEY
from fluxstate_tui.operations.restore.arming import adopt, disarm
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.script import RefusedError, Run, Script, Task
from fluxstate_tui.operations.world.observation import Observation
from fluxstate_tui.operations.world.observe import observe
from fluxstate_tui.operations.world.world import World

KEEP = Step("keep", "Keep the archive in the catalogue", "mv ARCHIVE_PATH FOLDER/ID.tar.gz")
CHECKPOINT = Step("checkpoint", "Make a KVS checkpoint", "flux kvs put --sync KEY=VALUE")


def plan(seen: Observation) -> Plan:
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
    return Plan("disarm", seen.minicluster.ref, (CHECKPOINT, KEEP), preview, consent)


async def prepare(context: OperationContext, ref: ClusterRef, choices: Choices) -> Operation:
    """Read the world and plan. Raises FluxstateError."""
    world = await World.open(context, ref)
    try:
        seen = await observe(world)
        planned = plan(seen)
    except BaseException:
        await world.close()
        raise
    path = world.minicluster.archive_path

    async def keep(run: Run) -> str:
        if not await is_there(world.files, path):
            return "it is gone already"
        found = await world.files.stat(path)
        known = {
            part.sha256
            for entry in seen.catalogue
            if entry.manifest and not entry.problem
            for part in entry.manifest.parts
        }
        if found.sha256 in known:
            run.by_hand(world.file_line("rm", path))
            return f"the catalogue has it; {await disarm(world.files, path, found.sha256)}"
        kept = await adopt(world.files, path, ref.name)
        run.by_hand(world.file_line("mv", path, kept))
        return f"kept as {kept}"

    async def checkpoint(run: Run) -> str:
        run.by_hand(world.flux_line("kvs", "put", "--sync", f"{SYNC_KEY}=1"))
        return f"root {(await world.kvs_sync())[:20]}"

    script = Script(
        # It is disarmed also when no checkpoint can be made: armed is worse.
        [Task(CHECKPOINT, checkpoint, required=False), Task(KEEP, keep)],
        success=lambda: f"{ref} is disarmed",
        safe="No job and no archive was touched.",
        close=world.close,
    )
    return Operation(context, planned, script)
