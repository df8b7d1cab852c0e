"""Queues over a session: read them, stop and start them (RPCs of flux-core 0.47 and later)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fluxstate_tui.flux.facts import queues_of

if TYPE_CHECKING:
    from fluxstate_tui.flux.session import FluxSession
    from fluxstate_tui.model.queue import Queue


async def read_queues(session: FluxSession) -> tuple[Queue, ...]:
    """All queues; where none has a name, there is the anonymous one, called ''."""
    names = (await session.rpc("job-manager.queue-list", {}))["queues"] or [""]
    found = []
    for name in names:
        payload = {"name": name} if name else {}
        status = await session.rpc("job-manager.queue-status", payload)
        found.append({**status, "name": name})
    return queues_of(found)


async def requests_outstanding(session: FluxSession) -> int:
    """How many allocations the scheduler still works on."""
    return int((await session.rpc("job-manager.alloc-query", {})).get("alloc_pending") or 0)


async def start_queues(
    session: FluxSession, names: Sequence[str], *, started: bool, reason: str = ""
) -> None:
    """Start or stop (with the reason that `flux queue status` shows) these, or all if none."""
    change = {"start": started, "nocheckpoint": False}
    await _change(session, "job-manager.queue-start", names, change, reason)


async def enable_queues(
    session: FluxSession, names: Sequence[str], *, enabled: bool, reason: str = ""
) -> None:
    """Let these queues, or all if none is named, take new jobs or not."""
    await _change(session, "job-manager.queue-enable", names, {"enable": enabled}, reason)


async def _change(
    session: FluxSession, topic: str, names: Sequence[str], change: dict[str, Any], reason: str
) -> None:
    """One after the other; the watch, if there is one, looks at them at once."""
    if reason:
        change = {**change, "reason": reason}
    for name in names:
        await session.rpc(topic, {**change, "all": False, "name": name})
    if not names:
        await session.rpc(topic, {**change, "all": True})
    if session.watching:
        await session.watch()
