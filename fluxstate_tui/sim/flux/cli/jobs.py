"""flux jobs."""

from __future__ import annotations

import json
import signal
from typing import Any

from fluxstate_tui.flux.job import Job, JobResult, JobState
from fluxstate_tui.flux.job_json import job_from_rpc, job_to_json
from fluxstate_tui.flux.jobid import dothex, f58, f58_ascii, hex_id, kvs_key, parse_job_id
from fluxstate_tui.sim.flux.cli.connection import Connection, connect
from fluxstate_tui.sim.flux.cli.formatting import FieldError, render_rows
from fluxstate_tui.sim.flux.commands import parse_duration
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.shell.options import Options, parse_options
from fluxstate_tui.sim.shell.process import Process, UsageError

_SPEC = (
    "a A c,count= f,filter= since= n,no-header u,user= name= q,queue= i,include= o,format= "
    "sort= w,width=? json color=? R,recursive L,level= recurse-all threads= stats stats-only"
)
_USAGE = """usage: flux-jobs [-h] [-a] [-A] [-c N] [-f STATE|RESULT] [--since WHEN] [-n]
                 [-u [USERNAME|UID]] [--name JOB-NAME] [-q QUEUE,...]
                 [-i HOSTS|RANKS] [-o FORMAT] [--sort KEY,...] [-w [N]]
                 [--json] [--color [WHEN]] [-R] [-L N] [--recurse-all]
                 [--threads N] [--stats] [--stats-only]
                 [JOBID ...]
"""
_HEAD = "{id.f58:>12} ?:{queue:<8.8} +:{username:<8} {name:<10.10+} "
FORMATS = {
    "default": _HEAD
    + "{status_abbrev:>2.2} {ntasks:>6} {nnodes:>6h} {contextual_time!F:>8h} {contextual_info}",
    "long": _HEAD + "{status:>9.9} {ntasks:>6} {nnodes:>6h} {t_submit!d:%b%d %R::>12} "
    "{t_remaining!F:>12h} {contextual_time!F:>8h} {contextual_info}",
    "deps": "{id.f58:>12} ?:{queue:<8.8} {name:<10.10+} {urgency:<3} {priority:<12} "
    "{state:<8.8} {dependencies}",
    "endreason": _HEAD + "{status_abbrev:>2.2} {t_inactive!d:%b%d %R::>12h} {inactive_reason}",
}
HEADINGS = {
    "id": "JOBID", "id.f58": "JOBID", "id.f58plain": "JOBID", "id.dec": "JOBID",
    "id.hex": "JOBID", "id.dothex": "JOBID", "id.kvs": "JOBID", "name": "NAME", "user": "USER",
    "username": "USER", "userid": "UID", "queue": "QUEUE", "state": "STATE",
    "state_single": "S", "status": "STATUS", "status_abbrev": "ST", "result": "RESULT",
    "result_abbrev": "RS", "ntasks": "NTASKS", "ncores": "NCORES", "nnodes": "NNODES",
    "ranks": "RANKS", "nodelist": "NODELIST", "runtime": "RUNTIME", "duration": "DURATION",
    "t_submit": "T_SUBMIT", "t_depend": "T_DEPEND", "t_run": "T_RUN", "t_cleanup": "T_CLEANUP",
    "t_priority": "T_PRIORITY", "t_sched": "T_SCHED", "t_inactive": "T_INACTIVE",
    "t_remaining": "T_REMAINING", "expiration": "EXPIRATION", "urgency": "URG",
    "priority": "PRI", "waitstatus": "WSTATUS", "returncode": "RC", "success": "SUCCESS",
    "exception.occurred": "EXCEPTION-OCCURRED", "exception.severity": "EXCEPTION-SEVERITY",
    "exception.type": "EXCEPTION-TYPE", "exception.note": "EXCEPTION-NOTE",
    "dependencies": "DEPENDENCIES", "annotations": "ANNOTATIONS", "uri": "URI",
    "cwd": "CWD", "project": "PROJECT", "bank": "BANK", "contextual_info": "INFO",
    "contextual_time": "TIME", "inactive_reason": "INACTIVE-REASON",
}  # fmt: skip
_ABBREVIATIONS = {"COMPLETED": "CD", "FAILED": "F", "CANCELED": "CA", "TIMEOUT": "TO"}
_USERS = {0: "root", 1000: "flux", 65534: "nobody"}


async def jobs(process: Process) -> int:
    """List jobs: own active ones, or what the options say."""
    try:
        options = parse_options(process.args, _SPEC)
        ids = [_job_id(text) for text in options.operands]
        _check_count(options)
    except UsageError as error:
        await process.err(f"{_USAGE}flux-jobs: error: {error.message}\n")
        return 2
    if options.get("format") == "help":
        return await _formats(process)
    if options.has("json") and (options.has("stats") or options.has("stats-only")):
        raise UsageError("--json incompatible with --stats or --stats-only")
    connection = connect(process)
    if options.has("stats") or options.has("stats-only"):
        active = await _stats(process, connection)
        if options.has("stats-only"):
            return 0 if active else 1
    filtered = any(options.has(name) for name in ("a", "filter", "user", "queue", "name"))
    if ids and filtered:
        await process.err("flux-jobs: WARNING: Filtering options ignored with jobid list\n")
    found = await (
        _by_id(process, connection, ids) if ids else _filtered(process, connection, options)
    )
    if ids and not found:
        return 1
    return await _print(process, options, found, single=len(ids) == 1)


def _check_count(options: Options) -> None:
    text = options.get("count", "0")
    if not text.isdigit():
        raise UsageError(f"argument -c/--count: invalid int value: '{text}'")


def _job_id(text: str) -> int:
    try:
        return parse_job_id(text)
    except ValueError:
        raise UsageError(f"argument JOBID: invalid JobID value: '{text}'") from None


async def _formats(process: Process) -> int:
    await process.out("\nConfigured flux-jobs output formats:\n\n")
    for name in FORMATS:
        await process.out(f"  {name:<12} {name} flux-jobs format string\n")
    return 0


async def _stats(process: Process, connection: Connection) -> bool:
    stats = await connection.rpc("job-list.job-stats", {})
    states = stats["job_states"]
    pending = states["depend"] + states["priority"] + states["sched"]
    running = states["run"] + states["cleanup"]
    failed = stats["failed"] + stats["canceled"] + stats["timeout"]
    await process.out(
        f"{running} running, {stats['successful']} completed, {failed} failed, "
        f"{pending} pending, {stats['inactive_purged']} inactive purged\n"
    )
    return bool(pending + running)


async def _by_id(process: Process, connection: Connection, ids: list[int]) -> list[Job]:
    found = []
    for job_id, text in zip(ids, [arg for arg in process.args if not arg.startswith("-")],
                            strict=False):  # fmt: skip
        try:
            answer = await connection.rpc("job-list.list-id", {"id": job_id, "attrs": ["all"]})
        except FluxError as error:
            if "No service" in error.message:
                raise
            await process.err(f"JobID {text} unknown\n")
            continue
        found.append(job_from_rpc(answer["job"]))
    return found


async def _filtered(process: Process, connection: Connection, options: Options) -> list[Job]:
    conditions: list[dict[str, Any]] = []
    user = options.get("user") or ("all" if options.has("A") else str(process.uid))
    if user != "all":
        wanted = {name: uid for uid, name in _USERS.items()}.get(user)
        conditions.append({"userid": [int(user) if wanted is None else wanted]})
    if (not options.has("a") and not options.has("since")) or options.has("filter"):
        conditions.append(_state_condition(options.get("filter") or "active"))
    if options.has("name"):
        conditions.append({"name": [options.get("name")]})
    if options.has("queue"):
        conditions.append({"queue": options.get("queue").split(",")})
    if options.has("include"):
        text = options.get("include")
        kind = (
            "ranks" if text.strip("[]").replace(",", "").replace("-", "").isdigit() else "hostlist"
        )
        conditions.append({kind: [text]})
    limit = int(options.get("count", "1000"))
    since = _since(options.get("since"), process.machine.clock.now())
    payload = {
        "max_entries": limit, "attrs": ["all"], "since": since, "constraint": {"and": conditions},
    }  # fmt: skip
    found = (await connection.rpc("job-list.list", payload))["jobs"]
    if limit and len(found) == limit and await _more(connection, payload, limit):
        await process.err(
            f"warning: output truncated at {limit} jobs.\n"
            "Use --count to increase returned results or use filters to alter results.\n"
        )
    return [job_from_rpc(job) for job in found]


async def _more(connection: Connection, payload: dict[str, Any], limit: int) -> bool:
    answer = await connection.rpc("job-list.list", {**payload, "max_entries": limit + 1})
    return len(answer["jobs"]) > limit


def _state_condition(text: str) -> dict[str, Any]:
    states, results = [], []
    for word in text.upper().split(","):
        if word in JobState.__members__ or word in ("PENDING", "RUNNING", "ACTIVE"):
            states.append(word.lower())
        elif word in JobResult.__members__:
            results.append(word.lower())
        else:
            raise UsageError(f"Invalid filter specified: {word.lower()}")
    either: list[dict[str, Any]] = []
    if states:
        either.append({"states": states})
    if results:
        either.append({"results": results})
    return {"or": either}


def _since(text: str, now: float) -> float:
    if not text:
        return 0.0
    try:
        return now - parse_duration(text[1:]) if text.startswith("-") else float(text)
    except ValueError:
        raise UsageError(f'invalid value for --since: "{text}"') from None


async def _print(process: Process, options: Options, found: list[Job], *, single: bool) -> int:
    now = process.machine.clock.now()
    if options.has("json"):
        objects = [{**job_to_json(job, now), "username": _user(job)} for job in found]
        answer: Any = objects[0] if single else {"jobs": objects}
        await process.out(json.dumps(answer) + "\n")
        return 0
    form = FORMATS.get(options.get("format", "default"), options.get("format"))
    ascii_ids = bool(process.env.get("FLUX_F58_FORCE_ASCII"))
    rows = [row(job, now, ascii_ids=ascii_ids) for job in found]
    known = {**HEADINGS, **{key: HEADINGS.get(key, key.upper()) for line in rows for key in line}}
    try:
        text = render_rows(form, rows, known, header=not options.has("no-header"))
    except FieldError as error:
        await process.err(f"flux-jobs: ERROR: Error in user format: {error}\n")
        return 1
    await process.out(text)
    return 0


def _user(job: Job) -> str:
    return _USERS.get(job.userid, str(job.userid))


def row(job: Job, now: float, *, ascii_ids: bool = False) -> dict[str, Any]:
    """One job's fields for an output format."""
    short = f58_ascii(job.id) if ascii_ids else f58(job.id)
    values: dict[str, Any] = {**dict.fromkeys(HEADINGS, ""), **job_to_json(job, now)}
    exception = values.pop("exception", {})
    values.update(
        {
            "id": short, "id.f58": short, "id.dec": job.id, "id.hex": hex_id(job.id),
            "id.dothex": dothex(job.id), "id.kvs": kvs_key(job.id), "user": "",
            "username": _user(job), "status_abbrev": _ABBREVIATIONS.get(job.status, job.status[:1]),
            "state_single": job.state.name[0], "result_abbrev": _ABBREVIATIONS.get(
                job.result.name if job.result else "", ""
            ),
            "dependencies": ",".join(values["dependencies"]),
            "duration": job.duration,
            "priority": "" if job.priority is None else job.priority,
            "urgency": job.urgency,
            "annotations": job.annotations or "",
        }
    )  # fmt: skip
    for key, value in exception.items():
        values[f"exception.{key}"] = value
    for scope, entries in job.annotations.items():
        for key, value in entries.items() if isinstance(entries, dict) else ():
            values[f"annotations.{scope}.{key}"] = values[f"{scope}.{key}"] = value
    runtime = job.runtime(now)
    values["runtime"] = 0.0 if runtime is None else runtime
    values["contextual_time"] = job.duration if job.state.pending else values["runtime"]
    values["contextual_info"] = _info(job, values["dependencies"])
    values["inactive_reason"] = _reason(job, values.get("returncode"))
    return values


def _info(job: Job, dependencies: str) -> str:
    if job.state is JobState.PRIORITY:
        return "priority-wait"
    if job.state is JobState.DEPEND:
        return f"depends:{dependencies}"
    if job.state is JobState.SCHED:
        if job.urgency == 0:
            return "held"
        return "priority-hold" if job.priority == 0 else ""
    return job.nodelist


def _reason(job: Job, returncode: Any) -> str:
    if job.state is not JobState.INACTIVE or job.result is None:
        return ""
    exception = job.exception
    if job.result is JobResult.CANCELED:
        note = exception.note if exception is not None else ""
        return f"Canceled: {note}" if note else "Canceled"
    if job.result is JobResult.TIMEOUT:
        return "Timeout"
    fatal = exception is not None and exception.severity == 0 and exception.type != "exec"
    if job.result is JobResult.FAILED and exception is not None and fatal:
        note = f" note={exception.note}" if exception.note else ""
        return f"Exception: type={exception.type}{note}"
    if isinstance(returncode, int) and returncode > 128:
        return signal.strsignal(returncode - 128) or f"Signaled {returncode - 128}"
    named = {126: "Command invoked cannot execute", 127: "command not found"}
    return named.get(returncode or 0, f"Exit {returncode or 0}")


COMMANDS = {"jobs": jobs}
