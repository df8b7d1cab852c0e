"""The queue of a MiniCluster that a migration creates: closed until it is the only one.

It comes up stopped and refusing jobs, as its archive says. Should a flux-core not heed that, it is
closed as soon as it answers; what it has by then that the old one has not is never thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.model.job import Job
from fluxstate_tui.model.queue import restores_stopped
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.delete.loss import loss
from fluxstate_tui.operations.migrate.plan import Target
from fluxstate_tui.operations.migrate.remove_target import is_ours
from fluxstate_tui.operations.queue.checkpoint import forget_pause
from fluxstate_tui.operations.save.dumping import Saved, Saver
from fluxstate_tui.operations.script import Run
from fluxstate_tui.operations.world.observation import PAUSED_BY_US, describe, queue_words
from fluxstate_tui.operations.world.patience import patiently
from fluxstate_tui.operations.world.read_cluster import read_by_name
from fluxstate_tui.operations.world.world import World, WorldError


async def close_queues(world: World, why: str) -> str:
    """Stop and disable what came up started or enabled; '' when nothing did."""
    queues = await world.queues()
    started = [queue.name for queue in queues if queue.started]
    enabled = [queue.name for queue in queues if queue.enabled]
    if enabled:
        await world.disable_queues(enabled, why)
    if not restores_stopped(world.core_version, queues):
        started = [queue.name for queue in queues]  # whatever it says of them
    if not started:
        return ""
    await world.stop_queues(started, why)
    await world.read_back_queues(started, started_now=False)
    return f"{queue_words(started)} came up started and is stopped now: jobs may have begun there"


async def open_queues(world: World, started: Sequence[str]) -> str:
    """Start these, let all accept jobs that only we had closed, and keep it so over a restart."""
    closed = [
        queue.name
        for queue in await world.queues()
        if not queue.enabled and queue.disable_reason.startswith(PAUSED_BY_US)
    ]
    if closed:
        await world.enable_queues(closed)
    text = "was stopped before, stays stopped"
    if started:
        await world.start_queues(list(started))
        text = await world.read_back_queues(started, started_now=True)
    await forget_pause(world)
    await world.kvs_sync()
    return text


async def keep_what_is_new(
    context: OperationContext, target: Target, jobs: Sequence[Job], run: Run, *, was_open: bool
) -> str:
    """Save the new MiniCluster before it is removed, if it has more than `jobs`, the archive's.

    Returns what was saved, '' if there was nothing. Raises FluxstateError when it cannot be saved,
    or cannot be asked and `was_open` to jobs: then it must not be removed.
    """
    found = await patiently(context.clock, lambda: read_by_name(context, target.ref))
    if found is None or not is_ours(found, target):
        return ""
    try:
        world = await World.open(context, found.ref)
    except WorldError:
        if was_open:
            raise
        return ""  # its brokers never ran, or died: it has what its archive has
    try:
        await close_queues(world, f"{PAUSED_BY_US} migration undone by {context.who}")
        live = await world.jobs()
        new = loss(live, jobs)
        if new.nothing:
            return ""
        running = [job for job in live if job.state.running]
        if running:
            raise FluxstateError(f"{len(running)} jobs run on {target} now: it is kept as it is")
        saved = await _save(Saver(context, world, restore_paused=True), run)
    finally:
        await world.close()
    again = f", and run again here: {describe(new.again)}" if new.again else ""
    return f"what was new there is saved as {saved.id}{again}"


async def _save(saver: Saver, run: Run) -> Saved:
    mine = Run(run.journal)
    try:
        await saver.commit(mine)
        await saver.dump(mine, idle=True)
        await saver.verify(mine)
        await saver.enter(mine)
        await saver.manifest(mine, [])
    except BaseException as error:
        await mine.put_back(error)
        raise
    return saver.saved
