"""Pause: stop every started queue, read back; jobs that run go on, pending ones wait."""

from __future__ import annotations

from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.formatting import plural
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import Choices, Consent, ConsentKind, OperationKind, Plan, Step
from fluxstate_tui.operations.queue_control import stop_queues
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.snapshot import Snapshot, describe, queue_words, take_snapshot
from fluxstate_tui.operations.steps import Run, Script, Task

STOP = Step("stop", "Stop the queue", "flux queue stop --all -m REASON")


def plan(seen: Snapshot) -> Plan:
    """What a pause would do."""
    if not seen.started:
        preview = ["The queue is stopped already; nothing will change."]
    else:
        preview = [
            f"Stop {queue_words(seen.started)}: {describe(seen.pending)} will wait.",
            f"{plural(len(seen.running), 'running job')} may go on. New jobs are still accepted.",
        ]
    return Plan(
        OperationKind.PAUSE,
        seen.minicluster.ref,
        (STOP,),
        tuple(preview),
        Consent(ConsentKind.NONE, "Pause the queue?"),
    )


async def prepare(context: OperationContext, ref: ClusterRef, choices: Choices) -> Operation:
    """Read the world and plan. Raises FluxstateError when Flux cannot be asked."""
    client = await MiniClusterClient.open(context, ref)
    try:
        seen = await take_snapshot(client, catalog=False)
    except BaseException:
        await client.close()
        raise

    async def stop(run: Run) -> str:
        started = [queue.name for queue in await client.queues() if queue.started]
        text, undo = await stop_queues(run, client, started, context.who)
        if undo is not None:
            run.discard(undo)
        return text

    script = Script(
        [Task(STOP, stop)],
        success=lambda: f"{ref} is paused",
        safe="No job was touched.",
        close=client.close,
    )
    return Operation(context, plan(seen), script)
