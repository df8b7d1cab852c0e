"""`checkpoint.job-manager`: how the queues of an instance come up when its state is loaded.

flux-core writes it on a clean shutdown only, and a live dump carries along whatever lies there
(facts/flux.md, 1 and 2). It is not an official interface; its form is the same since 0.46.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fluxstate_tui.model.queue import Queue
from fluxstate_tui.operations.world.observation import PAUSED_BY_US, Observation

if TYPE_CHECKING:
    from fluxstate_tui.operations.world.world import World

CHECKPOINT_KEY = "checkpoint.job-manager"
SYNC_KEY = "fluxstate.checkpoint"  # any commit with --sync makes a KVS checkpoint

# A resume finds its queues by this reason. Restored by flux-core since 0.46 (its queue.c; tried on
# 0.88 with the anonymous and with named queues, together with a disable_reason).
PAUSED_REASON = f"{PAUSED_BY_US} restored paused"


def comes_up_stopped(checkpoint: str | None) -> bool:
    """Whether a restore with that `checkpoint.job-manager` has a stopped or disabled queue."""
    if not checkpoint:
        return False
    try:
        queues = json.loads(checkpoint).get("queue", [])
        return any(
            not queue.get("start", True) or not queue.get("enable", True) for queue in queues
        )
    except (ValueError, AttributeError):
        return True  # not understood: better replaced


def paused_checkpoint(seen: Observation, closed: str = "") -> dict[str, Any]:
    """The `checkpoint.job-manager` that makes a restored instance come up paused.

    With `closed` it refuses new jobs as well, for that reason. What others stopped or disabled
    keeps their reasons; what we did to the living queue is not carried along.
    """
    queues = [_paused(queue, closed) for queue in seen.queues or ()]
    highest = max((job.id for job in seen.jobs or ()), default=0)
    return {"version": 1, "max_jobid": highest, "queue": queues}


def _paused(queue: Queue, closed: str) -> dict[str, Any]:
    stopped_by_others = not queue.started and not queue.stop_reason.startswith(PAUSED_BY_US)
    closed_by_others = not queue.enabled and not queue.disable_reason.startswith(PAUSED_BY_US)
    reason = queue.disable_reason if closed_by_others else closed
    entry: dict[str, Any] = {"name": queue.name} if queue.name else {}
    entry |= {"enable": not (closed_by_others or closed), "start": False}
    entry["stop_reason"] = queue.stop_reason if stopped_by_others else PAUSED_REASON
    if reason:
        entry["disable_reason"] = reason
    return entry


async def forget_pause(world: World) -> str:
    """So that a restarted container comes up as its queues are now; '' if nothing was there.

    What is left of a paused restore would stop the queue again, unnoticed.
    """
    if not comes_up_stopped(await world.kvs_get(CHECKPOINT_KEY)):
        return ""
    await world.kvs_unlink(CHECKPOINT_KEY)
    return "a restart of its container keeps it so"
