"""flux job id|info|eventlog|wait-event|attach|urgency|raise|cancel|memo|kill|last|stats."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from fluxstate_tui.flux.eventlog import parse
from fluxstate_tui.flux.jobid import dothex, f58, f58_ascii, hex_id, kvs_key, parse_job_id
from fluxstate_tui.sim.flux.cli.attach import attach, pretty
from fluxstate_tui.sim.flux.cli.connection import Connection, connect
from fluxstate_tui.sim.flux.cli.submit import URGENCIES
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.flux.job import SimJob
from fluxstate_tui.sim.flux.jobspecs import parse_value
from fluxstate_tui.sim.flux.watching import follow_events
from fluxstate_tui.sim.shell.options import parse_options
from fluxstate_tui.sim.shell.process import Process, UsageError

_UTF8 = ("utf-8", "utf8")


async def job(process: Process) -> int:
    """Dispatch to the subcommand."""
    name = process.args[0] if process.args else ""
    command = _SUBCOMMANDS.get(name)
    if command is None:
        raise UsageError("Usage: flux-job [OPTIONS] COMMAND ARGS")
    child = process.child(["flux-job", *process.args[1:]])
    return await command(child)


def shown_id(process: Process, job_id: int) -> str:
    """C programs print `f` instead of `ƒ` where the locale is not UTF-8."""
    locale = process.env.get("LC_ALL") or process.env.get("LANG") or ""
    utf8 = locale.lower().endswith(_UTF8) and not process.env.get("FLUX_F58_FORCE_ASCII")
    return f58(job_id) if utf8 else f58_ascii(job_id)


def _parse(text: str) -> int:
    try:
        return parse_job_id(text)
    except ValueError:
        raise UsageError(f'error parsing jobid: "{text}"') from None


def _find(connection: Connection, text: str, unknown: str = "No such job") -> SimJob:
    connection.instance.require("job-info.lookup")
    found = connection.instance.jobs.jobs.get(_parse(text))
    if found is None:
        raise FluxError(2, unknown)
    return found


async def _id(process: Process) -> int:
    options = parse_options(process.args, "t,to=")
    forms: dict[str, Callable[[int], str]] = {
        "dec": str, "hex": hex_id, "dothex": dothex, "f58": f58, "f58plain": f58_ascii,
        "kvs": kvs_key,
    }  # fmt: skip
    form = options.get("to", "dec")
    if form not in forms:
        raise UsageError(f"Unknown --to={form}")
    for text in options.operands:
        await process.out(forms[form](_parse(text)) + "\n")
    return 0


async def _info(process: Process) -> int:
    options = parse_options(process.args, "o,original b,base w,wait")
    if len(options.operands) < 2:
        raise UsageError("Usage: flux-job info [OPTIONS] id key")
    text, key = options.operands[:2]
    connection = connect(process)
    payload = {"id": _parse(text), "keys": [key], "flags": 0}
    try:
        answer = await connection.rpc("job-info.lookup", payload)
    except FluxError as error:
        if error.errno == 2:
            known = _parse(text) in connection.instance.jobs.jobs
            raise FluxError(2, f"{key}: key not found" if known else "invalid job id") from None
        raise FluxError(error.errno, f"{key}: {error.message}") from None
    await process.out(answer[key].rstrip("\n") + "\n")
    return 0


async def _eventlog(process: Process) -> int:
    options = parse_options(
        process.args, "f,format= T,time-format= p,path= H,human L,color=? F,follow"
    )
    connection = connect(process)
    text = options.operands[0]
    found = _find(connection, text, f"job {text} not found")
    path = {"exec": "guest.exec.eventlog", "output": "guest.output"}.get(
        options.get("path"), options.get("path", "eventlog")
    )
    payload = {"id": found.id, "keys": [path], "flags": 0}
    try:
        text = (await connection.rpc("job-info.lookup", payload))[path]
    except FluxError as error:
        raise FluxError(error.errno, f"flux_job_eventlog_lookup_get: {error.message}") from None
    if options.get("format") == "json":
        await process.out(text)
        return 0
    for event in parse(text.encode()):
        await process.out(pretty(event))
    return 0


async def _wait_event(process: Process) -> int:
    options = parse_options(
        process.args, "f,format= t,timeout= q,quiet v,verbose p,path= m,match-context= c,count="
    )
    text, name = options.operands[:2]
    connection = connect(process)
    found = _find(connection, text, f"job {text} not found")
    async for event in follow_events(connection.instance, found):
        shown = options.has("verbose") or event.name == name
        if shown and not options.has("quiet"):
            await process.out(pretty(event))
        if event.name == name:
            return 0
    raise FluxError(2, f"event '{name}' never received")


async def _attach(process: Process) -> int:
    options = parse_options(process.args, "E,show-events X,show-exec l,label-io r,read-only v u w=")
    connection = connect(process)
    text = options.operands[0]
    found = _find(connection, text, f"Failed to attach to {text}: No such job")
    return await attach(process, connection, found)


async def _urgency(process: Process) -> int:
    options = parse_options(process.args, "v,verbose")
    text, value = options.operands[:2]
    connection = connect(process)
    job_id = _parse(text)
    urgency = URGENCIES.get(value.lower(), None)
    payload = {"id": job_id, "urgency": int(value) if urgency is None else urgency}
    try:
        await connection.rpc("job-manager.urgency", payload)
    except FluxError as error:
        raise FluxError(error.errno, f"{shown_id(process, job_id)}: {error.message}") from None
    return 0


async def _raise(process: Process) -> int:
    options = parse_options(process.args, "s,severity= t,type= m,message=")
    connection = connect(process)
    ids = [text for text in options.operands if _is_id(text)]
    words = [text for text in options.operands if not _is_id(text)]
    for text in ids:
        payload: dict[str, Any] = {
            "id": _parse(text), "type": options.get("type", "cancel"),
            "severity": int(options.get("severity", "0")),
            "note": options.get("message") or " ".join(words),
        }  # fmt: skip
        try:
            await connection.rpc("job-manager.raise", payload)
        except FluxError as error:
            shown = shown_id(process, payload["id"])
            raise FluxError(error.errno, f"raise {shown}: {error.message}") from None
    return 0


def _is_id(text: str) -> bool:
    try:
        parse_job_id(text)
    except ValueError:
        return False
    return True


async def _cancel(process: Process) -> int:
    options = parse_options(process.args, "m,message=")
    connection = connect(process)
    for text in [text for text in options.operands if _is_id(text)]:
        payload = {
            "id": _parse(text), "type": "cancel", "severity": 0, "note": options.get("message"),
        }  # fmt: skip
        await connection.rpc("job-manager.raise", payload)
    return 0


async def _memo(process: Process) -> int:
    options = parse_options(process.args, "volatile")
    connection = connect(process)
    text, *settings = options.operands
    memo = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        memo[key] = None if value == "-" else parse_value(value)
    try:
        await connection.rpc("job-manager.memo", {"id": _parse(text), "memo": memo})
    except FluxError as error:
        raise FluxError(error.errno, f"memo: {error.message}") from None
    return 0


async def _kill(process: Process) -> int:
    options = parse_options(process.args, "s,signal=")
    connection = connect(process)
    names = {"TERM": 15, "KILL": 9, "INT": 2, "HUP": 1, "USR1": 10}
    name = options.get("signal", "TERM").removeprefix("SIG")
    signal = int(name) if name.isdigit() else names.get(name, 15)
    for text in options.operands:
        await connection.rpc("job-manager.kill", {"id": _parse(text), "signum": signal})
    return 0


async def _last(process: Process) -> int:
    connection = connect(process)
    connection.instance.require("job-manager.history.get")
    ids = sorted(connection.instance.jobs.jobs)[-1:]
    if not ids:
        raise FluxError(2, "job history is empty")
    await process.out(shown_id(process, ids[0]) + "\n")
    return 0


async def _stats(process: Process) -> int:
    answer = await connect(process).rpc("job-list.job-stats", {})
    await process.out(json.dumps(answer) + "\n")
    return 0


_SUBCOMMANDS: dict[str, Callable[[Process], Awaitable[int]]] = {
    "attach": _attach, "cancel": _cancel, "eventlog": _eventlog, "id": _id, "info": _info,
    "kill": _kill, "last": _last, "memo": _memo, "raise": _raise, "stats": _stats,
    "urgency": _urgency, "wait-event": _wait_event,
}  # fmt: skip
COMMANDS = {"job": job}
