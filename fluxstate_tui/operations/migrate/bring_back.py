"""Undo of a migration under the same name: the old MiniCluster again, from its archive."""

from __future__ import annotations

from collections.abc import Sequence

from fluxstate_tui.kube.manifest import for_create
from fluxstate_tui.model.minicluster import MiniCluster
from fluxstate_tui.operations.catalogue.helper_pod import HelperPod
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.migrate.moved_queue import open_queues
from fluxstate_tui.operations.restore.plan import Source
from fluxstate_tui.operations.restore.steps import Restoring
from fluxstate_tui.operations.script import Run


async def bring_back(
    context: OperationContext,
    old: MiniCluster,
    source: Source,
    started: Sequence[str],
    run: Run,
    timeout: float,
) -> str:
    """Create it as it was, account for every job, and start the queues that were started.

    Raises FluxstateError when that fails; nothing stays armed then.
    """
    manifest = for_create(old.raw)
    helper = await HelperPod.start(context, manifest)
    again = Restoring(context, helper, source, manifest, timeout)
    mine = Run(run.journal)
    try:
        for action in (again.check, again.arm, again.create, again.start):
            await action(mine)
        said = await again.account(mine)
        await again.disarm(mine)
        await open_queues(again.world, started)
        await again.checkpoint(mine)
        return said
    except BaseException:
        for undo in reversed(mine.undos):
            await undo.action()
        raise
    finally:
        await again.close()
