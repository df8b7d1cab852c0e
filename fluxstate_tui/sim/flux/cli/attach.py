"""flux job attach, and the second half of `flux run`: output, exceptions, exit code."""

from __future__ import annotations

import asyncio
import base64
import json
import signal

from fluxstate_tui.flux.eventlog import Event, parse_line
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.sim.flux.cli.connection import Connection
from fluxstate_tui.sim.flux.job import SimJob
from fluxstate_tui.sim.flux.watching import follow_events, follow_output
from fluxstate_tui.sim.shell.process import Process


async def attach(process: Process, connection: Connection, job: SimJob) -> int:
    """Show everything of a job until it is done; the exit code of its tasks."""
    printing = asyncio.ensure_future(_print_output(process, connection, job))
    try:
        status = await _watch(process, connection, job)
        await printing
    finally:
        printing.cancel()
        await asyncio.gather(printing, return_exceptions=True)
    if job.guest is None and job.draft.t_run is not None:
        await process.err("flux-job: flux_job_event_watch_get: Operation not supported\n")
        return 1
    if status is None:
        return 1
    return await _report(process, status)


async def _report(process: Process, status: int) -> int:
    code = status >> 8 if not status & 0x7F else 128 + (status & 0x7F)
    if code > 128 and code - 128 in {member.value for member in signal.Signals}:
        await process.err(f"flux-job: task(s) {signal.strsignal(code - 128)}\n")
    elif code:
        await process.err(f"flux-job: task(s) exited with exit code {code}\n")
    return code


async def _watch(process: Process, connection: Connection, job: SimJob) -> int | None:
    status: int | None = None
    async for event in follow_events(connection.instance, job):
        if event.name == "exception":
            await process.err(exception_line(job, event))
        elif event.name == "finish":
            status = int(event.context["status"])
    return status


def exception_line(job: SimJob, event: Event) -> str:
    """`0.031s: job.exception ƒ... type=alloc severity=0 note`."""
    context = event.context
    since = max(0.0, event.timestamp - job.draft.t_submit)
    return (
        f"{since:.3f}s: job.exception {f58(job.id)} type={context['type']} "
        f"severity={context['severity']} {context.get('note', '')}\n"
    )


async def _print_output(process: Process, connection: Connection, job: SimJob) -> None:
    async for line in follow_output(connection.instance, job):
        event = parse_line(line)
        context = event.context
        if event.name == "log":
            since = max(0.0, event.timestamp - job.draft.t_submit)
            await process.err(f"{since:.3f}s: flux-shell[0]: FATAL: {context['message']}\n")
        elif event.name == "data" and "data" in context:
            data = decode(context)
            stream = process.stderr if context["stream"] == "stderr" else process.stdout
            await stream.write(data)


def decode(context: dict[str, object]) -> bytes:
    """The bytes of a data event."""
    text = str(context["data"])
    if context.get("encoding") == "base64":
        return base64.b64decode(text)
    return text.encode()


def pretty(event: Event) -> str:
    """One event as `flux job eventlog` prints it."""
    words = [f"{event.timestamp:.6f}", event.name]
    for key, value in event.context.items():
        shown = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        words.append(f"{key}={shown}")
    return " ".join(words) + "\n"
