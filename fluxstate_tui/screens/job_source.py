"""Where a job screen gets its job from: the live queue, or an archive."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fluxstate_tui.model.job import Job
from fluxstate_tui.screens.actions import JobDetail, OutputLine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from fluxstate_tui.archive.reader import ArchivedJob
    from fluxstate_tui.model.reference import ClusterRef
    from fluxstate_tui.screens.services import Services


class JobSource(Protocol):
    """A job as it is now, the time by its own clock, and its details on demand."""

    @property
    def place(self) -> str:
        """The MiniCluster or the archive that it is in."""
        ...

    def job(self) -> Job | None:
        """The job, None if it is not known any more."""
        ...

    def now(self) -> float:
        """Seconds since the epoch by the clock that wrote its times."""
        ...

    def waits(self) -> str:
        """Why it waits, '' if it does not."""
        ...

    async def detail(self) -> JobDetail:
        """Eventlog, jobspec and output. Raises FluxstateError."""
        ...

    def follow(self) -> AbstractAsyncContextManager[AsyncIterator[tuple[OutputLine, ...]]] | None:
        """Its output live, None where nothing can come any more. Raises FluxstateError."""
        ...


@dataclass(frozen=True, slots=True)
class LiveJob:
    """A job of a queue that is watched."""

    services: Services
    ref: ClusterRef
    id: int

    @property
    def place(self) -> str:
        """The MiniCluster's name."""
        return self.ref.name

    def job(self) -> Job | None:
        """As the store has it."""
        picture = self.services.store.clusters.get(self.ref.uid)
        return picture.jobs.get(self.id) if picture else None

    def now(self) -> float:
        """The cluster's time."""
        picture = self.services.store.clusters.get(self.ref.uid)
        now = self.services.clock.now()
        return picture.cluster_now(now) if picture else now

    def waits(self) -> str:
        """As far as the queue tells it."""
        from fluxstate_tui.screens.job_waiting import waiting_text

        picture, job = self.services.store.clusters.get(self.ref.uid), self.job()
        if picture is None or job is None:
            return ""
        return waiting_text(picture, job, self.now())

    async def detail(self) -> JobDetail:
        """As Flux tells it now."""
        return await self.services.actions.job_detail(self.ref, self.id)

    def follow(self) -> AbstractAsyncContextManager[AsyncIterator[tuple[OutputLine, ...]]]:
        """From its begin, until the job ends."""
        return self.services.actions.follow_output(self.ref, self.id)


@dataclass(frozen=True, slots=True)
class JobOfArchive:
    """A job of an archive; its time stands still at the dump."""

    archived: ArchivedJob
    place: str
    dumped_at: float

    def job(self) -> Job | None:
        """As it was dumped."""
        return self.archived.job

    def now(self) -> float:
        """When the dump began, or the job's own last time if that is unknown."""
        job = self.archived.job
        return self.dumped_at or job.t_inactive or job.t_run or job.t_submit

    def waits(self) -> str:
        """Nothing happens in an archive."""
        return ""

    async def detail(self) -> JobDetail:
        """Read from the archive, away from the screen's own thread."""
        return await asyncio.to_thread(self._read)

    def follow(self) -> None:
        """An archive does not change."""

    def _read(self) -> JobDetail:
        from fluxstate_tui.model.resources import places

        broken = "Parts of this job are damaged in the archive."
        lines = tuple(OutputLine(c.stream, c.rank, c.shown) for c in self.archived.output())
        return JobDetail(
            events=self.archived.eventlog,
            jobspec=self.archived.jobspec or None,
            output=lines,
            trouble=broken if self.archived.partial else "",
            places=places(self.archived.R),
        )
