"""Waiting until no job runs, with the live list and a way out."""

from __future__ import annotations

from collections.abc import Callable, Collection

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.operations.choices import Choices, Running
from fluxstate_tui.operations.queue.running_jobs import duration, expect, names
from fluxstate_tui.operations.world.world import World

POLL_SECONDS = 1.0


async def drain(
    world: World, choices: Choices, agreed: Collection[int], tell: Callable[[str], None]
) -> bool:
    """Return True when no job runs any more, False when the choice was to go on regardless.

    `agreed` are the jobs that `Running.CANCEL` may cancel: those that ran when the user was asked;
    others are waited for. Raises FluxstateError when the time that was chosen is over. Cancelling
    is safe: nothing was changed but jobs that were cancelled as the user asked.
    """
    running = await world.running_jobs()
    if running and choices.running is Running.LEAVE:
        return False
    if choices.running is Running.CANCEL:
        await world.cancel_jobs([job.id for job in running if job.id in agreed])
    begin = world.clock.now()
    while running:
        waited = world.clock.now() - begin
        if choices.running is Running.WAIT_AT_MOST and waited >= (choices.wait_seconds or 0.0):
            raise _too_long(len(running), waited)
        now = await world.cluster_now()
        text = f"{len(running)} running ({expect(running, now)}): {names(running, now)}"
        late = sum(job.id not in agreed for job in running)
        if choices.running is Running.CANCEL and late:
            text = f"{late} began after you were asked and are not cancelled; {text}"
        tell(text)
        await world.clock.sleep(POLL_SECONDS)
        running = await world.running_jobs()
    await world.settle()
    return True


def _too_long(count: int, waited: float) -> FluxstateError:
    return FluxstateError(
        f"{count} jobs still run after {duration(waited)}",
        safe="They were left alone.",
        advice="Wait longer, cancel them (--cancel-running), or go on and know that they "
        "come back FAILED (--leave-running).",
    )
