"""Read one job over an open session: its details once, its output as it comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from fluxstate_tui.archive.details import output
from fluxstate_tui.flux.command import FluxFailed
from fluxstate_tui.flux.protocol import Message, OutputLines
from fluxstate_tui.model import eventlog
from fluxstate_tui.model.resources import places
from fluxstate_tui.screens.actions import JobDetail, OutputLine

if TYPE_CHECKING:
    from fluxstate_tui.flux.session import FluxSession

LONGEST: Final = 30 * 86400.0
"""Seconds: no job is followed for longer."""


async def read_detail(session: FluxSession, job_id: int) -> JobDetail:
    """Eventlog, jobspec and the output so far. Raises FluxstateError."""
    info = await session.request("job.info", job=job_id, keys=["eventlog", "jobspec"])
    return JobDetail(
        events=tuple(eventlog.parse(str(info["eventlog"]).encode())),
        jobspec=_decoded(info.get("jobspec")),
        output=await _output_so_far(session, job_id),
        places=places(_decoded(await _key(session, job_id, "R"))),
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

    def listen(message: Message) -> None:
        if isinstance(message, OutputLines):
            heard.put_nowait(message.event)

    request = session.request("job.follow", job=job_id, listen=listen, timeout=LONGEST)
    task = asyncio.create_task(request)
    task.add_done_callback(lambda _: heard.put_nowait(None))
    try:
        async with aclosing(_pieces(heard, task)) as pieces:
            yield pieces
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _pieces(
    heard: asyncio.Queue[str | None], task: asyncio.Task[dict[str, Any]]
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
    chunks = output((await _key(session, job_id, "guest.output")).encode())
    return tuple(OutputLine(chunk.stream, chunk.rank, chunk.text) for chunk in chunks)


async def _key(session: FluxSession, job_id: int, key: str) -> str:
    """What is at that key of the job, '' if there is nothing."""
    try:
        info = await session.request("job.info", job=job_id, keys=[key])
    except FluxFailed:
        return ""
    value = info.get(key, "")
    return value if isinstance(value, str) else json.dumps(value)


def _decoded(value: Any) -> dict[str, Any] | None:
    if isinstance(value, dict):
        return value
    try:
        decoded = json.loads(str(value))
    except ValueError:
        return None
    return decoded if isinstance(decoded, dict) else None
