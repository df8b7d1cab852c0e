"""Reads what plans are made of. Nothing here changes anything."""

from __future__ import annotations

import posixpath

from fluxstate_tui.archive.catalogue import folder_of
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.feeds.catalogues import is_there, read_catalogue
from fluxstate_tui.model.minicluster import MiniCluster
from fluxstate_tui.operations.queue.checkpoint import CHECKPOINT_KEY
from fluxstate_tui.operations.save.room import free_bytes
from fluxstate_tui.operations.world.observation import Observation
from fluxstate_tui.operations.world.world import World


async def observe(world: World, *, catalogue: bool = True) -> Observation:
    """The queue, and with `catalogue` also the volume. Raises FluxstateError."""
    now = await world.cluster_now()
    queues = await world.queues()
    jobs = await world.jobs()
    if not catalogue or not world.minicluster.archive_path:
        return Observation(world.minicluster, now, queues, jobs, core_version=world.core_version)
    path = world.minicluster.archive_path
    return Observation(
        world.minicluster,
        now,
        queues,
        jobs,
        catalogue=await read_catalogue(world.files, folder_of(path)),
        armed=await is_there(world.files, path),
        free=await free_bytes(world.files, posixpath.dirname(path)),
        checkpoint=await world.kvs_get(CHECKPOINT_KEY),
        core_version=world.core_version,
    )


def unreachable(minicluster: MiniCluster, now: float, error: FluxstateError) -> Observation:
    """What is left to know when the brokers do not answer."""
    return Observation(minicluster, now, unreachable=error.message)
