"""What a lead broker says of itself beyond queues and ranks: a few requests of 1 ms each."""

from __future__ import annotations

import errno
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final

from fluxstate_tui.broker.commands import FluxFailed
from fluxstate_tui.diagnosis.evidence import BrokerView
from fluxstate_tui.flux import idset
from fluxstate_tui.flux.jobspec import parse_duration

if TYPE_CHECKING:
    from fluxstate_tui.broker.session import FluxSession

LOST_AND_FOUND: Final = "job-lost+found.job"
_READ_DIR: Final = 1  # FLUX_KVS_READDIR
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError)


async def look_inside(session: FluxSession) -> BrokerView:
    """What it does not tell, or tells in a way that is not understood, is None.

    Raises SessionLost.
    """
    used, free = await _told(_state_room(session)) or (None, None)
    config = await _told(session.rpc("config.get", {}))
    return BrokerView(
        torpid=await _told(_torpid(session)),
        checkpoint_period=_period(config),
        private=_private(config),
        state_used=used,
        state_free=free,
        lost_and_found=await _told(_lost_and_found(session)),
    )


async def _told(asked: Awaitable[Any]) -> Any:
    try:
        return await asked
    except (FluxFailed, *_MALFORMED):
        return None


def _period(config: Any) -> float | None:
    """Seconds between checkpoints that Flux makes by itself, 0 for never."""
    try:
        period = config.get("kvs", {}).get("checkpoint-period")
        return parse_duration(str(period)) if period else 0.0
    except _MALFORMED:
        return None


def _private(config: Any) -> bool | None:
    try:
        private = config.get("access", {}).get("private-mode", False)
    except _MALFORMED:
        return None
    return private if isinstance(private, bool) else None


async def _torpid(session: FluxSession) -> tuple[int, ...]:
    status = await session.rpc("resource.status", {})
    return tuple(sorted(idset.decode(status["torpid"])))


async def _state_room(session: FluxSession) -> tuple[int, int]:
    """Bytes of content.sqlite, and free bytes of its file system."""
    stats = await session.rpc("content-sqlite.stats-get", {})
    return int(stats["dbfile_size"]), int(stats["dbfile_free"])


async def _lost_and_found(session: FluxSession) -> int:
    """How many jobs it put aside when it started."""
    payload = {"key": LOST_AND_FOUND, "namespace": "primary", "flags": _READ_DIR}
    try:
        found = (await session.rpc("kvs.lookup", payload))["val"]
    except FluxFailed as error:
        if error.errno == errno.ENOENT:
            return 0
        raise
    if found["type"] != "dir":
        raise ValueError(f"'{LOST_AND_FOUND}' is no directory, but a {found['type']}")
    return len(found["data"])
