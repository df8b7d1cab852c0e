"""flux submit and flux run."""

from __future__ import annotations

import asyncio
from typing import Any

from fluxstate_tui.flux import idset
from fluxstate_tui.flux.jobid import f58, f58_ascii
from fluxstate_tui.sim.flux.cli.attach import attach
from fluxstate_tui.sim.flux.cli.connection import Connection, connect
from fluxstate_tui.sim.flux.commands import parse_duration
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.flux.jobspecs import JobRequest, parse_value
from fluxstate_tui.sim.shell.options import Options, parse_options
from fluxstate_tui.sim.shell.process import Process, UsageError
from fluxstate_tui.sim.shell.streams import NullWriter

_SPEC = (
    "n,ntasks= N,nodes= c,cores-per-task= g,gpus-per-task= t,time-limit= urgency= u dependency= "
    "begin-time= job-name= q,queue= B,bank= cc= bcc= setattr= cwd= output= error= input= env= "
    "env-remove= o,setopt= S flags= label-io l unbuffered wait watch quiet x,exclusive progress "
    "jps tasks-per-node= requires= rlimit= v,verbose"
)
URGENCIES = {"hold": 0, "expedite": 31, "default": 16}
FLAGS = {"debug": 2, "waitable": 4, "novalidate": 8}


async def submit(process: Process) -> int:
    """Submit and print the ids."""
    options, jobs = await _submit_all(process)
    if jobs is None:
        return 1
    if not options.has("quiet"):
        name = f58_ascii if process.env.get("FLUX_F58_FORCE_ASCII") else f58
        for job_id in jobs:
            await process.out(name(job_id) + "\n")
    if options.has("watch") or options.has("wait"):
        return await _wait(process, jobs, options)
    return 0


async def _wait(process: Process, jobs: list[int], options: Options) -> int:
    connection = connect(process)
    quiet = process if options.has("watch") else _silent(process)
    found = [connection.instance.jobs.jobs[job_id] for job_id in jobs]
    codes = await asyncio.gather(*(attach(quiet, connection, job) for job in found))
    return max(codes, default=0)


def _silent(process: Process) -> Process:
    child = process.child(process.argv)
    child.stdout = child.stderr = NullWriter()
    return child


async def run(process: Process) -> int:
    """Submit and attach."""
    _, jobs = await _submit_all(process)
    if jobs is None:
        return 1
    connection = connect(process)
    codes = [
        await attach(process, connection, connection.instance.jobs.jobs[job_id]) for job_id in jobs
    ]
    return max(codes)


async def _submit_all(process: Process) -> tuple[Options, list[int] | None]:
    try:
        options = parse_options(process.args, _SPEC, mixed=False)
    except UsageError as error:
        tool = process.name.replace("-", " ")
        text = error.message.replace("unrecognized option '", "unrecognized arguments: ")
        await process.err(f"usage: {tool} [OPTIONS...] COMMAND [ARGS...]\n")
        await process.err(f"{tool}: error: {text.rstrip(chr(39))}\n")
        return Options(), None
    if not options.operands:
        raise UsageError("job command and arguments are missing")
    copies = idset.decode(options.get("cc") or options.get("bcc") or "0")
    connection = connect(process)
    ids = []
    for copy in copies:
        request = _request(process, options, str(copy))
        try:
            ids.append(await _submit_one(process, connection, request, options))
        except FluxError as error:
            lead = f"[Errno {error.errno}] "
            await process.err(f"{lead}{error.message}\n")
            return options, None
    return options, ids


async def _submit_one(
    process: Process, connection: Connection, request: JobRequest, options: Options
) -> int:
    jobspec = request.jobspec()
    environment = {k: v for k, v in process.env.items() if k not in ("TERM", "HOSTNAME")}
    environment["PWD"] = process.cwd
    environment["USER"] = process.user
    jobspec["attributes"]["system"]["environment"] = environment
    flags = sum(FLAGS.get(flag, 0) for flag in options.get("flags").split(","))
    payload: dict[str, Any] = {"J": jobspec, "urgency": _urgency(options), "flags": flags}
    return int((await connection.rpc("job-ingest.submit", payload))["id"])


def _urgency(options: Options) -> int:
    text = options.get("urgency", "default")
    if text.lower() in URGENCIES:
        return URGENCIES[text.lower()]
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"argument --urgency: invalid urgency: '{text}'") from None


def _request(process: Process, options: Options, copy: str) -> JobRequest:
    def text(name: str) -> str:
        return options.get(name).replace("{cc}", copy)

    command = [word.replace("{cc}", copy) for word in options.operands]
    request = JobRequest(
        command,
        ntasks=_count(options, "ntasks", "task"),
        nnodes=_count(options, "nodes", "node"),
        cores_per_task=_count(options, "cores-per-task", "cores per task") or 1,
        duration=_limit(options),
        exclusive=options.has("exclusive"),
        cwd=text("cwd") or process.cwd,
        name=text("job-name"),
        queue=text("queue"),
        output=text("output"),
        input=text("input"),
    )
    for wanted in options.all("dependency"):
        scheme, _, value = wanted.partition(":")
        request.dependencies.append({"scheme": scheme, "value": value})
    if options.has("begin-time"):
        begin = _begin_time(options.get("begin-time"), process.machine.clock.now())
        request.dependencies.append({"scheme": "begin-time", "value": begin})
    if options.has("requires"):
        request.attributes["constraints"] = _constraint(options.get("requires"))
    for setting in options.all("setattr"):
        key, equals, value = setting.partition("=")
        request.attributes[key] = parse_value(value.replace("{cc}", copy)) if equals else 1
    if options.has("label-io"):
        request.shell_options["label-io"] = 1
    return request


def _constraint(text: str) -> dict[str, Any]:
    """`host:a,b`, `rank:0-1`, properties, `-` or `not` before one, `and` or a space between them.

    What RFC 35 has beyond that (or, parentheses) is refused: it is not simulated.
    """
    if any(one in text for one in "()|") or " or " in f" {text} ":
        raise UsageError(f"--requires={text}: 'or' and parentheses are not simulated")
    found: list[dict[str, Any]] = []
    negated = False
    for word in text.replace("&", " ").split():
        if word in ("and", "not"):
            negated ^= word == "not"
            continue
        negated, word = negated ^ word.startswith("-"), word.removeprefix("-")
        kind, colon, value = word.partition(":")
        if colon and kind not in ("host", "hosts", "hostlist", "rank", "ranks"):
            raise UsageError(f"--requires={text}: unknown constraint operator: {kind}")
        name = "properties" if not colon else "ranks" if kind.startswith("rank") else "hostlist"
        one: dict[str, Any] = {name: [value if colon else word]}
        found.append({"not": [one]} if negated else one)
        negated = False
    return found[0] if len(found) == 1 else {"and": found}


def _count(options: Options, name: str, word: str) -> int | None:
    if not options.has(name):
        return None
    try:
        value = int(options.get(name))
    except ValueError:
        text = f"--{name}: invalid int value '{options.get(name)}'"
        raise UsageError(text) from None
    if value < 1:
        raise UsageError(f"{word} count must be an integer >= 1 (if set)")
    return value


def _limit(options: Options) -> float:
    text = options.get("time-limit")
    if not text:
        return 0
    return float(text) * 60 if text.replace(".", "", 1).isdigit() else duration(text)


def duration(text: str) -> float:
    """Seconds of a duration that a user gave. UsageError when it is none."""
    try:
        return parse_duration(text)
    except ValueError:
        raise UsageError("invalid Flux standard duration") from None


def _begin_time(text: str, now: float) -> float:
    try:
        if text == "now":
            return now
        return now + parse_duration(text[1:]) if text.startswith("+") else float(text)
    except ValueError:
        raise UsageError(f'Invalid datetime: "{text}"') from None


COMMANDS = {"submit": submit, "run": run, "bulksubmit": submit}
