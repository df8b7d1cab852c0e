"""Pause: stop every started queue, read back; jobs that run go on, pending ones wait."""

from __future__ import annotations

from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.choices import Choices
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.plan import Consent, ConsentKind, Plan, Step
from fluxstate_tui.operations.queue.start_again import resume_by_hand, start_again
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.script import Run, Script, Task, Undo
from fluxstate_tui.operations.world.observation import (
    PAUSED_BY_US,
    Observation,
    counted,
    describe,
    queue_words,
)
from fluxstate_tui.operations.world.observe import observe
from fluxstate_tui.operations.world.world import World

STOP = Step("stop", "Stop the queue", "flux queue stop --all -m REASON")


def plan(seen: Observation) -> Plan:
    """What a pause would do."""
    if not seen.started:
        preview = ["The queue is stopped already; nothing will change."]
    else:
        preview = [
            f"Stop {queue_words(seen.started)}: {describe(seen.pending)} will wait.",
            f"{counted(len(seen.running), 'running job')} may go on. New jobs are still accepted.",
        ]
    return Plan(
        "pause",
        seen.minicluster.ref,
        (STOP,),
        tuple(preview),
        Consent(ConsentKind.NONE, "Pause the queue?"),
    )


async def prepare(context: OperationContext, ref: ClusterRef, choices: Choices) -> Operation:
    """Read the world and plan. Raises FluxstateError when Flux cannot be asked."""
    world = await World.open(context, ref)
    try:
        seen = await observe(world, catalogue=False)
    except BaseException:
        await world.close()
        raise

    async def stop(run: Run) -> str:
        started = [queue.name for queue in await world.queues() if queue.started]
        text, undo = await stop_queues(run, world, started, context.who)
        if undo is not None:
            run.settled(undo)
        return text

    script = Script(
        [Task(STOP, stop)],
        success=lambda: f"{ref} is paused",
        safe="No job was touched.",
        close=world.close,
    )
    return Operation(context, plan(seen), script)


async def stop_queues(
    run: Run, world: World, started: list[str], who: str
) -> tuple[str, Undo | None]:
    """Stop these, with a reason by which resume finds them again.

    Returns the read-back, and the promise to start them again, which stands until it is settled.
    Raises FluxstateError when one of them is still started afterwards.
    """
    run.remember("started", started)
    if not started:
        return "was stopped already", None
    undo = run.undo(
        "the queue is started again",
        lambda: start_again(world, started),
        resume_by_hand(world.ref),
    )
    reason = f"{PAUSED_BY_US} paused by {who}"
    run.by_hand(*world.queue_lines("stop", started, reason))
    await world.stop_queues(started, reason)
    return await world.read_back_queues(started, started_now=False), undo
