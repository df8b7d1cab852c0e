"""Putting a stopped queue back: what an operation stopped, and nothing that others stopped."""

from __future__ import annotations

from collections.abc import Sequence

from fluxstate_tui.model.queue import Queue
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.world.observation import PAUSED_BY_US
from fluxstate_tui.operations.world.world import World

# What a queue says while no scheduler is loaded, whether it is stopped or not (flux-core 0.88,
# job-manager/queues.c).
_NO_SCHEDULER = "Scheduler is offline"


def resume_by_hand(ref: ClusterRef) -> str:
    """What to do when it cannot be put back."""
    return f"Run: fluxstate-tui resume {ref.name} -n {ref.namespace}"


async def start_again(world: World, names: Sequence[str]) -> str:
    """Start these queues, which we stopped; the read-back. Raises FluxstateError if one is not.

    One that somebody else has stopped since for a reason stays so. Without a reason it cannot be
    told from ours after the broker's restart, which forgets reasons.
    """
    if not names:
        return "was stopped before, stays stopped"
    theirs = {
        queue.name: queue.stop_reason
        for queue in await world.queues()
        if queue.name in names and _stopped_by_others(queue)
    }
    said = [f"{name or 'the queue'} stays stopped: {why}" for name, why in theirs.items()]
    ours = [name for name in names if name not in theirs]
    if ours:
        await world.start_queues(ours)
        said.insert(0, await world.read_back_queues(ours, started_now=True))
    return "; ".join(said)


def _stopped_by_others(queue: Queue) -> bool:
    reason = queue.stop_reason
    by_nobody = not reason or reason == _NO_SCHEDULER
    return not (queue.started or by_nobody or reason.startswith(PAUSED_BY_US))
