"""Read one job over an open session: its details once, its output as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from fluxstate_tui.archive.details import output
from fluxstate_tui.flux import jobs
from fluxstate_tui.model.resources import places
from fluxstate_tui.screens.actions import JobDetail, OutputLine

if TYPE_CHECKING:
    from fluxstate_tui.flux.session import FluxSession


async def read_detail(session: FluxSession, job_id: int) -> JobDetail:
    """Eventlog, jobspec and the output so far. Raises FluxstateError."""
    try:
        jobspec, events = await jobs.read_jobspec(session, job_id)
    except ValueError:
        jobspec, events = None, await jobs.read_eventlog(session, job_id)
    return JobDetail(
        events=events,
        jobspec=jobspec,
        output=await _output_so_far(session, job_id),
        places=places(await jobs.read_resources(session, job_id)),
    )


@asynccontextmanager
async def follow_output(
    session: FluxSession, job_id: int
) -> AsyncIterator[AsyncIterator[tuple[OutputLine, ...]]]:
    """All pieces of its output that there are and that come, until the job has ended.

    What came together is given together. Leaving the context ends the request. Raises
    FluxstateError while iterating when the session is lost.
    """
    heard: asyncio.Queue[str | None] = asyncio.Queue()

    task = asyncio.create_task(jobs.follow_output(session, job_id, heard.put_nowait))
    task.add_done_callback(lambda _: heard.put_nowait(None))
    try:
        async with aclosing(_pieces(heard, task)) as pieces:
            yield pieces
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _pieces(
    heard: asyncio.Queue[str | None], task: asyncio.Task[None]
) -> AsyncGenerator[tuple[OutputLine, ...], None]:
    while True:
        came = [await heard.get()]
        while not heard.empty():
            came.append(heard.get_nowait())
        text = "".join(event.rstrip("\n") + "\n" for event in came if event is not None)
        lines = tuple(OutputLine(c.stream, c.rank, c.text) for c in output(text.encode()))
        if lines:
            yield lines
        if None in came:
            await task  # how it ended
            return


async def _output_so_far(session: FluxSession, job_id: int) -> tuple[OutputLine, ...]:
    """What it printed so far; a job that never ran has no output."""
    chunks = output((await jobs.read_output(session, job_id)).encode())
    return tuple(OutputLine(chunk.stream, chunk.rank, chunk.text) for chunk in chunks)
