"""Save: pause, wait for running jobs, dump, verify, enter, put the queue back."""

from __future__ import annotations

from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import saving as steps
from fluxstate_tui.operations.base import Choices
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.saving import SAFE, Saving
from fluxstate_tui.operations.snapshot import take_snapshot
from fluxstate_tui.operations.steps import Script


async def prepare(context: OperationContext, ref: ClusterRef, choices: Choices) -> Operation:
    """Read the world and plan. Raises FluxstateError when it cannot be saved, and why."""
    client = await MiniClusterClient.open(context, ref)
    try:
        seen = await take_snapshot(client)
        planned = steps.plan(seen, choices)
    except BaseException:
        await client.close()
        raise
    saving = Saving(context, client, choices, seen.running)
    script = Script(saving.tasks(planned), saving.success, safe=SAFE, close=client.close)
    return Operation(context, planned, script)
