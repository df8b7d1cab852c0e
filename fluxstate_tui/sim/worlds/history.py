"""Archives with a past: a Flux instance that lived before the world began, and was saved."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from fluxstate_tui.archive.manifest import (
    Manifest,
    Part,
    archive_name,
    manifest_name,
    new_id,
    to_bytes,
)
from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.archive.writer import write_archive
from fluxstate_tui.sim.clock import VirtualClock
from fluxstate_tui.sim.flux.instance import FluxInstance
from fluxstate_tui.sim.flux.jobspecs import JobRequest

SUFFIX = ".tar.gz"


@dataclass(frozen=True, slots=True)
class Past:
    """A MiniCluster that was: what it was asked to run, and how long (seconds) until its save."""

    minicluster: str
    size: int
    started: float
    requests: Sequence[JobRequest]
    lasted: float
    uid: str = ""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Saved:
    """An archive of the catalog, and its manifest."""

    id: str
    archive: bytes
    manifest: bytes

    def files(self) -> dict[str, bytes]:
        """File names in the catalog's folder, and contents."""
        return {archive_name(self.id): self.archive, manifest_name(self.id): self.manifest}


async def live_through(past: Past) -> tuple[bytes, float]:
    """The archive of that life, and when it was dumped: queue stopped, running jobs ended."""
    clock = VirtualClock(past.started)
    hosts = [f"{past.minicluster}-{rank}" for rank in range(past.size)]
    instance = FluxInstance(clock, hosts, seed=past.seed)
    try:
        starting = asyncio.ensure_future(instance.start())
        await clock.advance(5)
        await starting
        for rank in range(1, past.size):
            instance.rank_online(rank)
        gap = past.lasted / max(1, len(past.requests))
        for request in past.requests:
            instance.jobs.submit(request.jobspec())
            await clock.advance(gap)
        instance.control.queue_start({"start": False, "all": True})
        while any(job.state.running for job in instance.jobs.jobs.values()):
            await clock.advance(5)
        when = clock.now()
        return write_archive(instance.content().entries(when), SUFFIX), when
    finally:
        await instance.close()


async def save(past: Past, namespace: str) -> Saved:
    """Live through a past and enter it into a catalog."""
    data, when = await live_through(past)
    archive = read_archive(data)
    identity = new_id(when, past.minicluster, ())
    manifest = Manifest(
        id=identity,
        minicluster=past.minicluster,
        namespace=namespace,
        uid=past.uid,
        size=past.size,
        created=when,
        created_by="demo@fluxstate",
        core_version=archive.core_version,
        counts=dict(Counter(found.job.status for found in archive.jobs)),
        verified="L2",
        idle=True,
        came_from="flux dump",
        parts=(Part("queue", archive_name(identity), len(data), hashlib.sha256(data).hexdigest()),),
    )
    return Saved(identity, data, to_bytes(manifest))
