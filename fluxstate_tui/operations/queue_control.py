"""Putting a stopped queue back: what an operation stopped, and nothing that others stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

from fluxstate_tui.broker.client import BrokerRestartedError, MiniClusterClient
from fluxstate_tui.broker.rpc import CHECKPOINT_KEY
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.job import Job
from fluxstate_tui.flux.queue import Queue
from fluxstate_tui.flux.running_jobs import duration, expect, names
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import Choices, Running
from fluxstate_tui.operations.snapshot import PAUSED_BY_US, Snapshot, closed_by_us, stopped_by_us
from fluxstate_tui.operations.steps import Run, Undo

# What a queue says while no scheduler is loaded, whether it is stopped or not (flux-core 0.88,
# job-manager/queues.c).
_NO_SCHEDULER = "Scheduler is offline"


def resume_by_hand(ref: ClusterRef) -> str:
    """What to do when it cannot be put back."""
    return f"Run: fluxstate-tui resume {ref.name} -n {ref.namespace}"


async def start_again(client: MiniClusterClient, names: Sequence[str]) -> str:
    """Start these queues, which we stopped; the read-back. Raises FluxstateError if one is not.

    One that somebody else has stopped since for a reason stays so. Without a reason it cannot be
    told from ours after the broker's restart, which forgets reasons.
    """
    if not names:
        return "was stopped before, stays stopped"
    theirs = {
        queue.name: queue.stop_reason
        for queue in await client.queues()
        if queue.name in names and _stopped_by_others(queue)
    }
    said = [f"{name or 'the queue'} stays stopped: {why}" for name, why in theirs.items()]
    ours = [name for name in names if name not in theirs]
    if ours:
        await client.start_queues(ours)
        said.insert(0, await client.read_back_queues(ours, started_now=True))
    return "; ".join(said)


def _stopped_by_others(queue: Queue) -> bool:
    reason = queue.stop_reason
    by_nobody = not reason or reason == _NO_SCHEDULER
    return not (queue.started or by_nobody or stopped_by_us(queue))


# Stopping queues.


async def stop_queues(
    run: Run, client: MiniClusterClient, started: list[str], who: str
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
        lambda: start_again(client, started),
        resume_by_hand(client.ref),
    )
    reason = f"{PAUSED_BY_US} paused by {who}"
    run.shell_commands(*client.queue_lines("stop", started, reason))
    await client.stop_queues(started, reason)
    return await client.read_back_queues(started, started_now=False), undo


# `checkpoint.job-manager`: how the queues of an instance come up when its state is loaded.
#
# flux-core writes it on a clean shutdown only, and a live dump carries along whatever lies there
# (ARCHITECTURE.md#F1, ARCHITECTURE.md#F2).
# It is not an official interface; its form is the same since 0.46.

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


def paused_checkpoint(seen: Snapshot, closed: str = "") -> dict[str, Any]:
    """The `checkpoint.job-manager` that makes a restored instance come up paused.

    With `closed` it refuses new jobs as well, for that reason. What others stopped or disabled
    keeps their reasons; what we did to the living queue is not carried along.
    """
    queues = [_paused(queue, closed) for queue in seen.queues or ()]
    highest = max((job.id for job in seen.jobs or ()), default=0)
    return {"version": 1, "max_jobid": highest, "queue": queues}


def _paused(queue: Queue, closed: str) -> dict[str, Any]:
    stopped_by_others = not queue.started and not stopped_by_us(queue)
    closed_by_others = not queue.enabled and not closed_by_us(queue)
    reason = queue.disable_reason if closed_by_others else closed
    entry: dict[str, Any] = {"name": queue.name} if queue.name else {}
    entry |= {"enable": not (closed_by_others or closed), "start": False}
    entry["stop_reason"] = queue.stop_reason if stopped_by_others else PAUSED_REASON
    if reason:
        entry["disable_reason"] = reason
    return entry


async def forget_pause(client: MiniClusterClient) -> str:
    """So that a restarted container comes up as its queues are now; '' if nothing was there.

    What is left of a paused restore would stop the queue again, unnoticed.
    """
    if not comes_up_stopped(await client.kvs_get(CHECKPOINT_KEY)):
        return ""
    await client.kvs_unlink(CHECKPOINT_KEY)
    return "a restart of its container keeps it so"


# Waiting until no job runs, with the live list and a way out.

POLL_SECONDS = 1.0
CHECKPOINT_SECONDS = 2.0


async def drain(
    client: MiniClusterClient,
    choices: Choices,
    agreed: Collection[int],
    tell: Callable[[str], None],
) -> bool:
    """Return True when no job runs any more, False when the choice was to go on regardless.

    `agreed` are the jobs that `Running.CANCEL` may cancel: those that ran when the user was asked;
    others are waited for. Raises FluxstateError when the time that was chosen is over. Cancelling
    is safe: nothing was changed but jobs that were cancelled as the user asked.
    """
    running = await client.running_jobs()
    if running and choices.running is Running.LEAVE:
        return False
    if choices.running is Running.CANCEL:
        await client.cancel_jobs([job.id for job in running if job.id in agreed])
    begin = client.clock.now()
    checkpoints = _Checkpoints(client, tell)
    while running:
        await checkpoints.keep(running)
        waited = client.clock.now() - begin
        if choices.running is Running.WAIT_AT_MOST and waited >= (choices.wait_seconds or 0.0):
            raise _too_long(len(running), waited)
        now = await client.cluster_now()
        text = f"{len(running)} running ({expect(running, now)}): {names(running, now)}"
        late = sum(job.id not in agreed for job in running)
        if choices.running is Running.CANCEL and late:
            text = f"{late} began after you were asked and are not cancelled; {text}"
        tell(text)
        await client.clock.sleep(POLL_SECONDS)
        running = await client.running_jobs()
    await client.settle()
    return True


class _Checkpoints:
    """Keeps the KVS checkpoint fresh while a save waits.

    A lead that dies meanwhile comes back with its last checkpoint: without one of now it would have
    lost what the plan counted. At once, then after each change, at most every two seconds.
    """

    def __init__(self, client: MiniClusterClient, tell: Callable[[str], None]) -> None:
        self._client = client
        self._tell = tell
        self._made: float | None = None
        self._saved: object = None

    async def keep(self, running: Collection[Job]) -> None:
        """Make one if anything changed. A failure is told: the save that waits matters more."""
        now = self._client.clock.now()
        if self._made is not None and now - self._made < CHECKPOINT_SECONDS:
            return
        counts = await self._client.counts()
        state = (tuple(job.id for job in running), tuple(sorted(counts.items())))
        if state == self._saved:
            return
        self._made = now
        try:
            await self._client.kvs_sync()
        except BrokerRestartedError:
            raise
        except FluxstateError as error:
            self._tell(f"no KVS checkpoint: {error.message}")
        else:
            self._saved = state


def _too_long(count: int, waited: float) -> FluxstateError:
    return FluxstateError(
        f"{count} jobs still run after {duration(waited)}",
        safe="They were left alone.",
        advice="Wait longer, cancel them (--cancel-running), or go on and know that they "
        "come back FAILED (--leave-running).",
    )
