"""Act on jobs over an open session, and read back from each eventlog that it happened."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from fluxstate_tui.flux import jobs
from fluxstate_tui.flux.command import FluxFailed
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
SUBMIT_TIMEOUT: Final = 30.0


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
        await jobs.kill_job(session, job_id, SIGTERM)
        return "SIGTERM was sent"  # Flux writes no event for a signal
    if verb in ("cancel", "raise"):
        kind = request.type if verb == "raise" else "cancel"
        severity = request.severity if verb == "raise" else 0
        wanted: dict[str, Any] = {"type": kind, "severity": severity}
        await jobs.raise_exception(session, job_id, type=kind, severity=severity, note=request.note)
        return await _read_back(session, job_id, "exception", wanted, clock)
    if verb == "limit":
        await jobs.set_duration(session, job_id, request.limit)
        changed = {"attributes.system.duration": request.limit}
        return await _read_back(session, job_id, "jobspec-update", changed, clock)
    urgency = {"hold": 0, "release": RELEASED}.get(verb, request.urgency)
    await jobs.set_urgency(session, job_id, urgency)
    return await _read_back(session, job_id, "urgency", {"urgency": urgency}, clock)


async def _again(session: FluxSession, job_id: int) -> str:
    """Submit its jobspec as it is now once more, with its directory and the lead's environment.

    Flux keeps no environment in a jobspec, and the signed one that has it is private.
    """
    try:
        jobspec, _ = await jobs.read_jobspec(session, job_id)
    except ValueError as error:
        raise FluxFailed("submit again", f"its jobspec cannot be read: {error}") from None
    new = await session.submit(jobspec, RELEASED, timeout=SUBMIT_TIMEOUT)
    return f"submitted again as {f58(new)}"


async def _read_back(
    session: FluxSession, job_id: int, name: str, wanted: dict[str, Any], clock: Clock
) -> str:
    """The newest event of that name says what was wanted, or the sentence says that it does not."""
    for look in range(LOOKS):
        if look:
            await clock.sleep(PAUSE)
        found = _newest(await jobs.read_eventlog(session, job_id), name, wanted)
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
