"""flux cancel, flux update."""

from __future__ import annotations

from typing import Any

from fluxstate_tui.flux.job import JobState
from fluxstate_tui.flux.jobid import f58, parse_job_id
from fluxstate_tui.sim.flux.cli.connection import connect
from fluxstate_tui.sim.flux.commands import parse_duration
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.flux.jobspecs import parse_value
from fluxstate_tui.sim.shell.options import parse_options
from fluxstate_tui.sim.shell.process import Process, UsageError

_MASKS = {"pending": 2 | 4 | 8, "running": 16 | 32, "active": 2 | 4 | 8 | 16 | 32}


async def cancel(process: Process) -> int:
    """By ids, or --all with --states and --user."""
    options = parse_options(
        process.args, "all n,dry-run q,quiet u,user= S,states= state= m,message="
    )
    if options.has("all") or options.has("states") or options.has("user"):
        return await _cancel_all(process, options.get("states"), options.get("user"),
                                 dry=options.has("dry-run"), quiet=options.has("quiet"),
                                 note=options.get("message"))  # fmt: skip
    if not options.operands:
        raise UsageError("No target jobs were provided")
    try:
        ids = [parse_job_id(text) for text in options.operands]
    except ValueError as error:
        raise UsageError(f"argument JOBID...: invalid JobID value: {error}", 2) from None
    connection = connect(process)
    status = 0
    for job_id in ids:
        payload = {
            "id": job_id, "type": "cancel", "severity": 0, "note": options.get("message"),
        }  # fmt: skip
        try:
            await connection.rpc("job-manager.raise", payload)
        except FluxError as error:
            await process.err(f"flux-cancel: ERROR: {f58(job_id)}: {error.message}\n")
            status = 1
    return status


async def _cancel_all(
    process: Process, states: str, user: str, *, dry: bool, quiet: bool, note: str
) -> int:
    mask = 0
    for state in (states or "active").split(","):
        word = state.upper()
        if state.lower() in _MASKS:
            mask |= _MASKS[state.lower()]
        elif word in JobState.__members__:
            mask |= JobState[word]
        else:
            raise UsageError(f"Invalid state {state} specified")
    userid = 0xFFFFFFFF if user == "all" else process.uid
    payload: dict[str, Any] = {
        "dry_run": dry, "userid": userid, "states": mask, "severity": 0, "type": "cancel",
        "note": note,
    }  # fmt: skip
    answer = await connect(process).rpc("job-manager.raiseall", payload)
    count = answer["count"]
    if count and not quiet:
        word = "Would cancel" if dry else "Canceled"
        await process.err(f"flux-cancel: {word} {count} job{'s' * (count != 1)} (0 errors)\n")
    elif not count and not quiet:
        await process.err("flux-cancel: Matched 0 jobs\n")
    return 0


async def update(process: Process) -> int:
    """JOBID KEY=VALUE: duration (with + and -), or a jobspec attribute."""
    options = parse_options(process.args, "n,dry-run v,verbose")
    if len(options.operands) < 2:
        raise UsageError("the following arguments are required: JOBID, KEY=VALUE", 2)
    text, *settings = options.operands
    job_id = parse_job_id(text)
    connection = connect(process)
    updates: dict[str, Any] = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        if key == "duration":
            job = connection.instance.jobs.jobs.get(job_id)
            before = job.draft.duration if job is not None else 0.0
            updates["attributes.system.duration"] = _new_duration(value, before)
        else:
            full = key if key.startswith("attributes.") else f"attributes.system.{key}"
            updates[full] = parse_value(value)
    await connection.rpc("job-manager.update", {"id": job_id, "updates": updates})
    return 0


def _new_duration(text: str, before: float) -> float:
    if text[:1] in "+-":
        change = parse_duration(text[1:])
        return before + change if text[0] == "+" else max(0.0, before - change)
    return parse_duration(text)


COMMANDS = {"cancel": cancel, "update": update}
