"""Jobs over a session: read them, act on them, follow what they print."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from fluxstate_tui.flux.command import FluxFailed
from fluxstate_tui.flux.facts import counts_of
from fluxstate_tui.model import eventlog
from fluxstate_tui.model.event import Event
from fluxstate_tui.model.flux_json import job_from_rpc

if TYPE_CHECKING:
    from fluxstate_tui.flux.session import FluxSession
    from fluxstate_tui.model.job import Job

ANY_NODE: Final = 0xFFFFFFFF
WAIT_UNTIL_CREATED: Final = 1  # a job that does not run yet has no output yet
LONGEST_FOLLOW: Final = 30 * 86400.0
"""Seconds: no job is followed for longer."""


async def list_jobs(session: FluxSession, *states: str) -> tuple[Job, ...]:
    """All jobs of all users, or those in these states ("running", "pending" ...)."""
    constraint: dict[str, Any] = {"states": list(states)} if states else {"and": []}
    payload = {"max_entries": 0, "since": 0.0, "attrs": ["all"], "constraint": constraint}
    return tuple(map(job_from_rpc, (await session.rpc("job-list.list", payload))["jobs"]))


async def count_jobs(session: FluxSession) -> dict[str, int]:
    """How many are pending, running and inactive."""
    return counts_of(await session.rpc("job-list.job-stats", {}))


async def raise_exception(
    session: FluxSession, job: int, *, type: str = "cancel", severity: int = 0, note: str = ""
) -> None:
    """Raise an exception (RFC 21): severity 0 ends the job, and without more it is cancelled."""
    payload: dict[str, Any] = {"id": job, "type": type, "severity": severity}
    if note:
        payload["note"] = note
    await session.rpc("job-manager.raise", payload)


async def kill_job(session: FluxSession, job: int, signal: int) -> None:
    """Send a signal to its tasks."""
    await session.rpc("job-manager.kill", {"id": job, "signum": signal})


async def set_urgency(session: FluxSession, job: int, urgency: int) -> None:
    """From 0 (held) to 31."""
    await session.rpc("job-manager.urgency", {"id": job, "urgency": urgency})


async def set_duration(session: FluxSession, job: int, duration: float) -> None:
    """A new time limit, in seconds from its start."""
    updates = {"attributes.system.duration": float(duration)}
    await session.rpc("job-manager.update", {"id": job, "updates": updates})


async def read_eventlog(session: FluxSession, job: int) -> tuple[Event, ...]:
    """What happened to it. ENOENT: there is no such job."""
    return tuple(eventlog.parse((await _lookup(session, job, "eventlog"))[0].encode()))


async def read_jobspec(session: FluxSession, job: int) -> tuple[dict[str, Any], tuple[Event, ...]]:
    """Its jobspec as it is now (RFC 21, `jobspec-update`), and its events. Raises ValueError.

    Flux keeps no environment in it. The lookup's own flag for updates is younger than 0.66.
    """
    text, log = await _lookup(session, job, "jobspec", "eventlog")
    events = tuple(eventlog.parse(log.encode()))
    jobspec = json.loads(text)
    if not isinstance(jobspec, dict):
        raise ValueError("a jobspec that is no JSON object")
    for event in events:
        if event.name == "jobspec-update":
            for path, value in event.context.items():
                _put(jobspec, path.split("."), value)
    return jobspec, events


async def read_resources(session: FluxSession, job: int) -> dict[str, Any] | None:
    """The R (RFC 20) that it got; None if it never got any."""
    try:
        found = json.loads((await _lookup(session, job, "R"))[0])
    except (FluxFailed, ValueError):
        return None
    return found if isinstance(found, dict) else None


async def read_output(session: FluxSession, job: int) -> str:
    """The eventlog (RFC 24) of what it printed until now; '' if it never ran."""
    try:
        return (await _lookup(session, job, "guest.output"))[0]
    except FluxFailed:
        return ""


async def follow_output(session: FluxSession, job: int, listen: Callable[[str], None]) -> None:
    """`listen` gets the eventlog of its output, from the first line on, until the job has ended."""
    payload = {"id": job, "path": "guest.output", "flags": WAIT_UNTIL_CREATED}
    await session.stream(
        "job-info.eventlog-watch",
        payload,
        lambda answer: listen(str(answer["event"])),
        node=ANY_NODE,
        timeout=LONGEST_FOLLOW,
    )


async def _lookup(session: FluxSession, job: int, *keys: str) -> list[str]:
    payload = {"id": job, "keys": list(keys), "flags": 0}
    found = await session.rpc("job-info.lookup", payload)
    return [str(found[key]) for key in keys]


def _put(fields: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set `attributes.system.duration` and the like; None removes it."""
    for key in path[:-1]:
        fields = fields.setdefault(key, {})
    if value is None:
        fields.pop(path[-1], None)
    else:
        fields[path[-1]] = value
