"""Act on jobs over an open session, and read back from each eventlog that it happened."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from fluxstate_tui.flux.command import FluxFailed
from fluxstate_tui.model import eventlog
from fluxstate_tui.model.event import Event
from fluxstate_tui.model.jobid import f58
from fluxstate_tui.screens.job_requests import RELEASED, JobAnswer, JobRequest

if TYPE_CHECKING:
    from fluxstate_tui.clock import Clock
    from fluxstate_tui.flux.session import FluxSession

SIGTERM: Final = 15
AT_ONCE: Final = 16
"""Jobs that are asked for at the same time."""
LOOKS: Final = 5
"""The broker answers before the eventlog is written: how often it is looked for."""
PAUSE: Final = 0.2


async def act(
    session: FluxSession, ids: Sequence[int], request: JobRequest, clock: Clock
) -> tuple[JobAnswer, ...]:
    """One answer per job, in the order of `ids`. Raises SessionLost (the outcome is unknown)."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(job_id: int) -> JobAnswer:
        async with gate:
            try:
                return JobAnswer(job_id, True, await _act(session, job_id, request, clock))
            except FluxFailed as error:
                return JobAnswer(job_id, False, error.said)

    return tuple(await asyncio.gather(*map(one, ids)))


async def _act(session: FluxSession, job_id: int, request: JobRequest, clock: Clock) -> str:
    verb = request.verb
    if verb == "again":
        return await _again(session, job_id)
    if verb == "kill":
        await session.request("job.kill", job=job_id, signal=SIGTERM)
        return "SIGTERM was sent"  # Flux writes no event for a signal
    if verb in ("cancel", "raise"):
        kind = request.type if verb == "raise" else "cancel"
        severity = request.severity if verb == "raise" else 0
        wanted: dict[str, Any] = {"type": kind, "severity": severity}
        await session.request("job.raise", job=job_id, note=request.note, **wanted)
        return await _read_back(session, job_id, "exception", wanted, clock)
    if verb == "limit":
        await session.request("job.update", job=job_id, duration=request.limit)
        changed = {"attributes.system.duration": request.limit}
        return await _read_back(session, job_id, "jobspec-update", changed, clock)
    urgency = {"hold": 0, "release": RELEASED}.get(verb, request.urgency)
    await session.request("job.urgency", job=job_id, urgency=urgency)
    return await _read_back(session, job_id, "urgency", {"urgency": urgency}, clock)


async def _again(session: FluxSession, job_id: int) -> str:
    """Submit its jobspec once more. Flux keeps no environment in it: the new job gets its own."""
    info = await session.request("job.info", job=job_id, keys=["jobspec"])
    jobspec: Any = info["jobspec"]
    if not isinstance(jobspec, dict):
        jobspec = json.loads(str(jobspec))
    submitted = await session.request("job.submit", jobspec=jobspec, copies=1)
    if submitted["errors"]:
        raise FluxFailed("submit", str(submitted["errors"][0]))
    return f"submitted again as {f58(int(submitted['ids'][0]))}"


async def _read_back(
    session: FluxSession, job_id: int, name: str, wanted: dict[str, Any], clock: Clock
) -> str:
    """The newest event of that name says what was wanted, or the sentence says that it does not."""
    for look in range(LOOKS):
        if look:
            await clock.sleep(PAUSE)
        info = await session.request("job.info", job=job_id, keys=["eventlog"])
        found = _newest(eventlog.parse(str(info["eventlog"]).encode()), name, wanted)
        if found is not None:
            said = " ".join(f"{key.split('.')[-1]} {found.context[key]}" for key in wanted)
            return f"its eventlog says {name}: {said}"
    return f"Flux took it, but no such {name} is in its eventlog yet"


def _newest(events: Sequence[Event], name: str, wanted: dict[str, Any]) -> Event | None:
    for event in reversed(events):
        if event.name == name:
            same = all(event.context.get(key) == value for key, value in wanted.items())
            return event if same else None
    return None
