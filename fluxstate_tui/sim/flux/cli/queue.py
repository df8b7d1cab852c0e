"""flux queue stop|start|status|list|enable|disable|idle|drain."""

from __future__ import annotations

import asyncio
from typing import Any

from fluxstate_tui.flux import idset
from fluxstate_tui.flux.resources import ResourceSet
from fluxstate_tui.sim.flux.cli.connection import Connection, connect
from fluxstate_tui.sim.flux.cli.formatting import FieldError, render_rows
from fluxstate_tui.sim.flux.cli.submit import duration
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.shell.options import Options, parse_options
from fluxstate_tui.sim.shell.process import Process

_SPEC = "a,all m,message= v,verbose q,quiet nocheckpoint t,timeout= n,no-header o,format= queue="
NEED_ALL = "Named queues are defined. Specify queues or use --all."


CHOICES = "(choose from 'list', 'status', 'enable', 'disable', 'start', 'stop', 'drain', 'idle')"


async def _usage(process: Process, text: str) -> int:
    usage = "usage: flux-queue [-h] {list,status,enable,disable,start,stop,drain,idle} ...\n"
    await process.err(f"{usage}flux-queue: error: {text}\n")
    return 2


async def queue(process: Process) -> int:
    """Dispatch to the subcommand."""
    name = process.args[0] if process.args else ""
    command = _SUBCOMMANDS.get(name)
    if command is None:
        return await _usage(process, f"argument subcommand: invalid choice: '{name}' {CHOICES}")
    options = parse_options(process.args[1:], _SPEC)
    if len(options.operands) > 1:
        return await _usage(process, f"unrecognized arguments: {' '.join(options.operands[1:])}")
    connection = connect(process)
    try:
        return await command(process, connection, options)
    except FluxError as error:
        prefix = "start" if name == "stop" else "enable" if name == "disable" else name
        if "No service matching" in error.message:
            prefix = "list" if name == "status" else ""
        lead = f"{prefix}: " if prefix else ""
        await process.err(f"flux-queue: ERROR: {lead}{error.message}\n")
        return 1


async def _statuses(
    connection: Connection, names: list[str], verbose: bool
) -> list[tuple[str, dict[str, Any]]]:
    known = (await connection.rpc("job-manager.queue-list"))["queues"]
    if names and not verbose:
        return [(name, await _status_of(connection, name)) for name in names]
    if not known:
        name = names[0] if names else ""
        return [(name, await connection.rpc("job-manager.queue-status", {}))]
    return [(name, await _status_of(connection, name)) for name in known]


async def _status_of(connection: Connection, name: str) -> dict[str, Any]:
    return await connection.rpc("job-manager.queue-status", {"name": name})


def _enable_line(name: str, status: dict[str, Any]) -> str:
    prefix = f"{name}: " if name else ""
    if status["enable"]:
        return f"{prefix}Job submission is enabled\n"
    return f"{prefix}Job submission is disabled: {status['disable_reason']}\n"


def _start_line(name: str, status: dict[str, Any]) -> str:
    prefix = f"{name}: " if name else ""
    if status["start"]:
        return f"{prefix}Scheduling is started\n"
    reason = f": {status['stop_reason']}" if "stop_reason" in status else ""
    return f"{prefix}Scheduling is stopped{reason}\n"


async def _print_counts(process: Process, connection: Connection) -> None:
    query = await connection.rpc("job-manager.alloc-query")
    await process.out(
        f"{query['queue_length']} alloc requests queued\n"
        f"{query['alloc_pending']} alloc requests pending to scheduler\n"
        f"{query['running']} running jobs\n"
    )


async def _status(process: Process, connection: Connection, options: Options) -> int:
    verbose = options.has("verbose")
    for name, status in await _statuses(connection, options.operands, verbose):
        await process.out(_enable_line(name, status) + _start_line(name, status))
    if verbose:
        await _print_counts(process, connection)
    return 0


async def _set_started(
    process: Process, connection: Connection, options: Options, start: bool
) -> int:
    names = options.operands or options.all("queue")
    everything = options.has("all")
    unclear = not names and not everything
    if unclear and (await connection.rpc("job-manager.queue-list"))["queues"]:
        await process.err(f"flux-queue: ERROR: {NEED_ALL}\n")
        return 1
    for name in names or [""]:
        payload: dict[str, Any] = {"start": start, "all": everything, "nocheckpoint": False}
        if name:
            payload["name"] = name
        if options.has("message"):
            payload["reason"] = options.get("message")
        await connection.rpc("job-manager.queue-start", payload)
    if not options.has("quiet"):
        for name, status in await _statuses(connection, names, options.has("verbose")):
            await process.out(_start_line(name, status))
        if options.has("verbose"):
            await _print_counts(process, connection)
    return 0


async def _start(process: Process, connection: Connection, options: Options) -> int:
    return await _set_started(process, connection, options, True)


async def _stop(process: Process, connection: Connection, options: Options) -> int:
    return await _set_started(process, connection, options, False)


async def _set_enabled(
    process: Process, connection: Connection, options: Options, enable: bool
) -> int:
    names = options.operands or options.all("queue")
    for name in names or [""]:
        payload: dict[str, Any] = {"enable": enable, "all": options.has("all")}
        if name:
            payload["name"] = name
        if not enable:
            payload["reason"] = options.get("message", "disabled by administrator")
        await connection.rpc("job-manager.queue-enable", payload)
    if not options.has("quiet"):
        for name, status in await _statuses(connection, names, options.has("verbose")):
            await process.out(_enable_line(name, status))
    return 0


async def _enable(process: Process, connection: Connection, options: Options) -> int:
    return await _set_enabled(process, connection, options, True)


async def _disable(process: Process, connection: Connection, options: Options) -> int:
    return await _set_enabled(process, connection, options, False)


async def _idle(process: Process, connection: Connection, options: Options) -> int:
    answer = await _within(process, connection, options, "job-manager.idle")
    if answer is None:
        await process.err("flux-queue: ERROR: idle: timeout\n")
        return 1
    if not options.has("quiet") or answer["pending"]:
        await process.out(f"{answer['pending']} jobs\n")
    return 0


async def _drain(process: Process, connection: Connection, options: Options) -> int:
    if await _within(process, connection, options, "job-manager.drain") is None:
        await process.err("flux-queue: ERROR: drain: timeout\n")
        return 1
    return 0


async def _within(
    process: Process, connection: Connection, options: Options, topic: str
) -> dict[str, Any] | None:
    """The answer, None after --timeout. FluxError when the broker dies meanwhile."""
    request = asyncio.ensure_future(connection.rpc(topic))
    waits: set[asyncio.Future[Any]] = {request}
    if options.has("timeout"):
        limit = duration(options.get("timeout"))
        waits.add(asyncio.ensure_future(process.machine.clock.sleep(limit)))
    over = asyncio.Event()
    forget = connection.instance.on_end(over.set)
    gone = asyncio.ensure_future(over.wait())
    waits.add(gone)
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if request.done():
            return request.result()
        if gone.done():
            raise FluxError(104, "Connection reset by peer")
        return None
    finally:
        forget()
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def _list(process: Process, connection: Connection, options: Options) -> int:
    form = options.get("format", "default")
    rows = await _rows(connection)
    if form == "default":
        lines = [" EN ST TDEFAULT   TLIMIT     NNODES     NCORES      NGPUS\n"]
        named = any(row["queue"] for row in rows)
        if named:
            lines = ["QUEUE    EN ST TDEFAULT   TLIMIT     NNODES     NCORES      NGPUS\n"]
        lines = [] if options.has("no-header") else lines
        lines += [_default_line(row, named) for row in rows]
        await process.out("".join(lines))
        return 0
    try:
        text = render_rows(form, rows, HEADINGS, header=not options.has("no-header"))
    except FieldError as error:
        await process.err(f"flux-queue: ERROR: Error in user format: {error}\n")
        return 1
    await process.out(text)
    return 0


def _default_line(row: dict[str, Any], named: bool) -> str:
    yes, no = "\x1b[01;32m ✔\x1b[0;0m", "\x1b[01;31m ✗\x1b[0;0m"
    name = f"{row['queuem']:<8}" if named else ""
    marks = f"{yes if row['enabled'] else no} {yes if row['started'] else no}"
    nodes, cores = f"0-{row['resources.all.nnodes']}", f"0-{row['resources.all.ncores']}"
    return f"{name} {marks}      inf      inf {nodes:>10} {cores:>10}        0-0\n"


HEADINGS = {
    "queue": "QUEUE", "queuem": "QUEUE", "submission": "SUBMIT", "scheduling": "SCHED",
    "enabled": "EN", "started": "ST", "enabled.ascii": "EN", "started.ascii": "ST",
}  # fmt: skip


async def _rows(connection: Connection) -> list[dict[str, Any]]:
    sched = await connection.rpc("resource.sched-status")
    counts: dict[str, Any] = {}
    sets = {name: ResourceSet.parse(sched[name]) for name in ("all", "down", "allocated")}
    for name, found in sets.items():
        counts[f"resources.{name}.nnodes"] = found.nnodes
        counts[f"resources.{name}.ncores"] = found.ncores
    busy = sets["allocated"].ncores + sets["down"].ncores
    counts["resources.free.ncores"] = max(0, sets["all"].ncores - busy)
    down = set(idset.decode(sets["down"].ranks)) if sets["down"].ranks else set()
    counts["resources.free.nnodes"] = max(0, sets["all"].nnodes - len(down))
    counts["resources.up.nnodes"] = counts["resources.free.nnodes"]
    rows = []
    default = True
    for name, status in await _statuses(connection, [], False):
        rows.append(
            {
                **counts,
                "queue": name,
                "queuem": f"{name}*" if name and default else name,
                "submission": "enabled" if status["enable"] else "disabled",
                "scheduling": "started" if status["start"] else "stopped",
                "enabled": status["enable"],
                "started": status["start"],
                "enabled.ascii": "y" if status["enable"] else "n",
                "started.ascii": "y" if status["start"] else "n",
            }
        )
        default = False
    return rows


_SUBCOMMANDS = {
    "disable": _disable, "drain": _drain, "enable": _enable, "idle": _idle, "list": _list,
    "start": _start, "status": _status, "stop": _stop,
}  # fmt: skip
COMMANDS = {"queue": queue}
