"""The same questions by flux's own commands, for containers whose flux has no Python bindings."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from fluxstate_tui.flux.checkpoints import CommandCheckpoints
from fluxstate_tui.flux.command import FluxFailed, run_flux
from fluxstate_tui.flux.endpoint import Endpoint
from fluxstate_tui.flux.fallback import parse_jobs, parse_queue_status, parse_uptime
from fluxstate_tui.flux.queue_commands import queue_commands
from fluxstate_tui.flux.submit import SubmitOptions, Submitted
from fluxstate_tui.flux.submit_command import submit_by_command
from fluxstate_tui.kube.session import Cluster
from fluxstate_tui.model.job import Job
from fluxstate_tui.model.jobid import f58_ascii
from fluxstate_tui.model.queue import Queue

_OUTSTANDING = re.compile(r"(\d+) alloc requests pending to scheduler")
_NO_KEY = "No such file or directory"


class CommandBroker:
    """Each question is a command of its own: slow, but it needs nothing but flux."""

    def __init__(self, cluster: Cluster, endpoint: Endpoint) -> None:
        self._cluster = cluster
        self._endpoint = endpoint
        self.state = ""
        self.version = ""
        self.started = 0.0

    @classmethod
    async def open(cls, cluster: Cluster, endpoint: Endpoint) -> CommandBroker:
        """Ask who it is. Raises FluxFailed, or a KubeError."""
        broker = cls(cluster, endpoint)
        broker.state = parse_uptime(await broker._read("uptime"))
        broker.version = (await broker._read("getattr", "version")).strip()
        broker.started = float((await broker._read("getattr", "broker.starttime")).strip() or 0)
        return broker

    async def now(self) -> float:
        """See Broker: by the API server's clock, as flux has no command that tells its own."""
        return self._cluster.clock.now() + self._cluster.clock_offset

    async def queues(self) -> tuple[Queue, ...]:
        """See Broker."""
        return parse_queue_status(await self._read("queue", "status"))

    async def start(self, names: list[str], *, started: bool, reason: str = "") -> None:
        """See Broker."""
        await self._change("start" if started else "stop", names, "" if started else reason)

    async def enable(self, names: list[str], *, enabled: bool, reason: str = "") -> None:
        """See Broker."""
        await self._change("enable" if enabled else "disable", names, "" if enabled else reason)

    async def requests_outstanding(self) -> int:
        """See Broker."""
        found = _OUTSTANDING.search(await self._read("queue", "status", "-v"))
        return int(found[1]) if found else 0

    async def jobs(self) -> tuple[Job, ...]:
        """See Broker."""
        return parse_jobs(await self._read("jobs", "-a", "-A", "-c0", "--json"))

    async def running_jobs(self) -> tuple[Job, ...]:
        """See Broker."""
        return parse_jobs(await self._read("jobs", "-A", "-c0", "--filter=running", "--json"))

    async def counts(self) -> dict[str, int]:
        """See Broker."""
        words = Counter(
            "running" if job.state.running else "pending" if job.state.pending else "inactive"
            for job in await self.jobs()
        )
        return {word: words[word] for word in ("pending", "running", "inactive")}

    async def submit(self, options: SubmitOptions) -> Submitted:
        """See Broker."""
        return await submit_by_command(self._cluster, self._endpoint, options)

    async def cancel(self, ids: Iterable[int]) -> None:
        """See Broker."""
        for job in ids:
            try:
                await self._flux("cancel", f58_ascii(job))
            except FluxFailed as error:
                if "inactive" not in error.said and "unknown" not in error.said:
                    raise

    async def checkpoint(self) -> str:
        """See Broker."""
        clock = self._cluster.clock
        return (await CommandCheckpoints(self._cluster, self._endpoint, clock).make()).root

    async def kvs_get(self, key: str) -> str | None:
        """See Broker."""
        try:
            return (await self._read("kvs", "get", key)).strip()
        except FluxFailed as error:
            if _NO_KEY in error.said:
                return None
            raise

    async def kvs_put(self, key: str, value: Any) -> None:
        """See Broker."""
        await self._flux("kvs", "put", "--sync", f"{key}={json.dumps(value)}")

    async def kvs_unlink(self, key: str) -> None:
        """See Broker."""
        await self._flux("kvs", "unlink", "-f", key)
        await self.checkpoint()  # flux kvs unlink has no --sync

    async def _change(self, action: str, names: list[str], reason: str) -> None:
        for args in queue_commands(self.version, action, names, reason):
            await self._flux(*args)

    async def _flux(self, *args: str) -> str:
        return await run_flux(self._cluster, self._endpoint, args)

    async def _read(self, *args: str) -> str:
        return await run_flux(self._cluster, self._endpoint, args, only_reads=True)
