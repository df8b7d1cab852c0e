"""Resume: start the queues that a pause stopped, read back."""

from __future__ import annotations

from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import Choices, Consent, ConsentKind, OperationKind, Plan, Step
from fluxstate_tui.operations.queue_control import forget_pause
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.snapshot import Snapshot, describe, queue_words, take_snapshot
from fluxstate_tui.operations.steps import Run, Script, Task

START = Step("start", "Start the queue", "flux queue start --all")


def to_start(seen: Snapshot) -> tuple[str, ...]:
    """The queues that we stopped; when there is none, all that are stopped."""
    return seen.stopped_by_us or tuple(
        queue.name for queue in seen.queues or () if not queue.started
    )


def plan(seen: Snapshot) -> Plan:
    """What a resume would do."""
    names, closed = to_start(seen), seen.closed_by_us
    if not names and not closed:
        preview = ["The queue is started already; nothing will change."]
    else:
        preview = [f"Start {queue_words(names)}: {describe(seen.pending)} may run."] * bool(names)
        others = [
            queue.name or "the queue"
            for queue in seen.queues or ()
            if not queue.started and queue.name not in names
        ]
        if others:
            preview.append(f"Stays stopped, as somebody else stopped it: {', '.join(others)}.")
    if closed:
        preview.append(f"Let {queue_words(closed)} accept new jobs again.")
    if any(not queue.enabled and queue.name not in closed for queue in seen.queues or ()):
        preview.append("Submission of new jobs is disabled, and stays so.")
    return Plan(
        OperationKind.RESUME,
        seen.minicluster.ref,
        (START,),
        tuple(preview),
        Consent(ConsentKind.NONE, "Resume the queue?"),
    )


async def prepare(context: OperationContext, ref: ClusterRef, choices: Choices) -> Operation:
    """Read the world and plan. Raises FluxstateError when Flux cannot be asked."""
    client = await MiniClusterClient.open(context, ref)
    try:
        seen = await take_snapshot(client, catalog=False)
    except BaseException:
        await client.close()
        raise
    names, closed = list(to_start(seen)), list(seen.closed_by_us)

    async def start(run: Run) -> str:
        if closed:
            run.shell_commands(*client.queue_lines("enable", closed))
        if names:
            run.shell_commands(*client.queue_lines("start", names))
        text = await _open(client, names, closed)
        kept = await forget_pause(client)
        return f"{text}; {kept}" if kept else text

    script = Script(
        [Task(START, start)],
        success=lambda: f"{ref} is resumed",
        safe="No job was touched.",
        close=client.close,
    )
    return Operation(context, plan(seen), script)


async def _open(client: MiniClusterClient, names: list[str], closed: list[str]) -> str:
    if closed:
        await client.enable_queues(closed)
    if not names:
        return "new jobs are accepted again" if closed else "was started already"
    await client.start_queues(names)
    return await client.read_back_queues(names, started_now=True)
