"""The streaming RPCs: the job manager's journal, and a job's growing eventlog."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from fluxstate_tui.flux.eventlog import Event, encode_line
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.flux.job import SimJob
from fluxstate_tui.sim.flux.watching import InstanceGoneError, follow_events, follow_output

if TYPE_CHECKING:
    from fluxstate_tui.sim.flux.instance import FluxInstance


Answer = dict[str, Any]


async def journal(instance: FluxInstance, *, full: bool) -> AsyncIterator[Answer]:
    """`job-manager.events-journal`: the history of active (full: of all) jobs, then what comes.

    Between the two there is `{"id": -1, "events": []}` (flux-core 0.88).
    """
    fresh: asyncio.Queue[Answer] = asyncio.Queue()
    stop = instance.jobs.subscribe(lambda job, event: fresh.put_nowait(_live(job, event)))
    try:
        jobs = instance.jobs
        for job_id in list(jobs.jobs if full else jobs.active):
            yield _history(jobs.jobs[job_id])
        yield {"id": -1, "events": []}
        while True:
            yield await fresh.get()
    finally:
        stop()


def _history(job: SimJob) -> Answer:
    answer: Answer = {"id": job.id, "events": [event_json(event) for event in job.events()]}
    answer["jobspec"] = job.jobspec
    if job.resources is not None:
        answer["R"] = job.resources
    return answer


def _live(job: SimJob, event: Event) -> Answer:
    answer: Answer = {"id": job.id, "events": [event_json(event)]}
    if event.name == "submit":
        answer["jobspec"] = job.jobspec
    elif event.name == "alloc":
        answer["R"] = job.resources
    return answer


async def output(instance: FluxInstance, job_id: int, path: str) -> AsyncIterator[Answer]:
    """`job-info.eventlog-watch`: lines of a log as they come, until it is complete."""
    job = instance.jobs.jobs.get(job_id)
    if job is None:
        raise FluxError(errno.ENOENT)
    try:
        if path == "guest.output":
            if not job.active and job.guest is None and job.draft.t_run is not None:
                raise FluxError(errno.EOPNOTSUPP)
            async for line in follow_output(instance, job):
                yield {"event": line.decode()}
        else:
            async for event in follow_events(instance, job):
                yield {"event": encode_line(event).decode()}
    except InstanceGoneError:
        raise FluxError(errno.ECONNRESET) from None


def event_json(event: Event) -> dict[str, Any]:
    """An event as RPCs carry it: without a context when it has none."""
    entry: dict[str, Any] = {"timestamp": event.timestamp, "name": event.name}
    if event.context:
        entry["context"] = event.context
    return entry
