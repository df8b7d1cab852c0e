"""What operations ask of a lead broker, and how it is asked over a session."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import Any, Protocol

from fluxstate_tui.flux import kvs
from fluxstate_tui.flux.command import FluxFailed
from fluxstate_tui.flux.jobs import count_jobs, list_jobs, raise_exception
from fluxstate_tui.flux.queues import (
    enable_queues,
    read_queues,
    requests_outstanding,
    start_queues,
)
from fluxstate_tui.flux.session import FluxSession
from fluxstate_tui.flux.submit import SubmitOptions, Submitted, submit
from fluxstate_tui.model.job import Job
from fluxstate_tui.model.queue import Queue

CANCEL_NOTE = "cancelled for a save"


class Broker(Protocol):
    """A lead broker that answers. Every method raises FluxFailed, or what broke the connection.

    `state` is as `flux uptime` had it at the beginning, `started` is when this broker started
    (seconds since the epoch by its own clock): another value is another life of it.
    """

    state: str
    version: str
    started: float

    async def now(self) -> float:
        """The cluster's clock, in seconds since the epoch."""
        ...

    async def queues(self) -> tuple[Queue, ...]:
        """Every queue."""
        ...

    async def start(self, names: list[str], *, started: bool, reason: str = "") -> None:
        """Start or stop queues; no names are all of them."""
        ...

    async def enable(self, names: list[str], *, enabled: bool, reason: str = "") -> None:
        """Let queues accept new jobs or not; no names are all of them."""
        ...

    async def requests_outstanding(self) -> int:
        """How many allocations the scheduler still works on."""
        ...

    async def jobs(self) -> tuple[Job, ...]:
        """All jobs of all users."""
        ...

    async def running_jobs(self) -> tuple[Job, ...]:
        """Jobs that hold resources, cleanup included."""
        ...

    async def counts(self) -> dict[str, int]:
        """How many jobs are pending, running and inactive."""
        ...

    async def submit(self, options: SubmitOptions) -> Submitted:
        """Submit jobs."""
        ...

    async def cancel(self, ids: Iterable[int]) -> None:
        """Cancel jobs; one that is done meanwhile is fine."""
        ...

    async def checkpoint(self) -> str:
        """Make a KVS checkpoint; returns its root. Raises FluxstateError if it is not there."""
        ...

    async def kvs_get(self, key: str) -> str | None:
        """The text of a value, None when there is none."""
        ...

    async def kvs_put(self, key: str, value: Any) -> None:
        """Set a value (JSON data), and make a KVS checkpoint."""
        ...

    async def kvs_unlink(self, key: str) -> None:
        """Remove a key (it need not exist), and make a KVS checkpoint."""
        ...


class SessionBroker:
    """Asks over one long-lived session."""

    def __init__(self, session: FluxSession) -> None:
        self.session = session
        self.state = session.hello.state
        self.version = session.hello.version
        self.started = session.hello.started

    async def now(self) -> float:
        """See Broker."""
        return await self.session.now()

    async def queues(self) -> tuple[Queue, ...]:
        """See Broker."""
        return await read_queues(self.session)

    async def start(self, names: list[str], *, started: bool, reason: str = "") -> None:
        """See Broker."""
        await start_queues(self.session, names, started=started, reason=reason)

    async def enable(self, names: list[str], *, enabled: bool, reason: str = "") -> None:
        """See Broker."""
        await enable_queues(self.session, names, enabled=enabled, reason=reason)

    async def requests_outstanding(self) -> int:
        """See Broker."""
        return await requests_outstanding(self.session)

    async def jobs(self) -> tuple[Job, ...]:
        """See Broker."""
        return await list_jobs(self.session)

    async def running_jobs(self) -> tuple[Job, ...]:
        """See Broker."""
        return await list_jobs(self.session, "running")

    async def counts(self) -> dict[str, int]:
        """See Broker."""
        return await count_jobs(self.session)

    async def submit(self, options: SubmitOptions) -> Submitted:
        """See Broker."""
        return await submit(self.session, options)

    async def cancel(self, ids: Iterable[int]) -> None:
        """See Broker."""
        for job in ids:
            try:
                await raise_exception(self.session, job, note=CANCEL_NOTE)
            except FluxFailed as error:
                if error.errno not in (errno.ENOENT, errno.EINVAL):
                    raise

    async def checkpoint(self) -> str:
        """See Broker."""
        return (await kvs.make_checkpoint(self.session)).root

    async def kvs_get(self, key: str) -> str | None:
        """See Broker."""
        return await kvs.read_value(self.session, key)

    async def kvs_put(self, key: str, value: Any) -> None:
        """See Broker."""
        await kvs.write_value(self.session, key, value)

    async def kvs_unlink(self, key: str) -> None:
        """See Broker."""
        await kvs.remove_value(self.session, key)
