"""What operations ask of a lead broker, and how it is asked over a session."""

from __future__ import annotations

import errno
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from fluxstate_tui.broker import rpc as kvs
from fluxstate_tui.broker.commands import (
    LIST_NODES,
    Executor,
    FluxFailed,
    parse_jobs,
    parse_nodes,
    parse_queue_status,
    parse_uptime,
    queue_commands,
    run_flux,
)
from fluxstate_tui.broker.locate import Endpoint
from fluxstate_tui.broker.rpc import (
    KvsState,
    count_jobs,
    enable_queues,
    list_jobs,
    nodes_of,
    raise_exception,
    read_queues,
    requests_outstanding,
    start_queues,
)
from fluxstate_tui.broker.session import FluxSession
from fluxstate_tui.broker.submit import SubmitOptions, Submitted, submit, submit_by_command
from fluxstate_tui.flux.job import Job
from fluxstate_tui.flux.jobid import f58_ascii
from fluxstate_tui.flux.queue import Node, Queue
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.tasks import Course

if TYPE_CHECKING:
    from fluxstate_tui.clock import Clock


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

    async def pending_jobs(self) -> tuple[Job, ...]:
        """Jobs that wait."""
        ...

    async def nodes(self) -> tuple[Node, ...]:
        """Every rank, up or down."""
        ...

    async def counts(self) -> dict[str, int]:
        """How many jobs are pending, running and inactive."""
        ...

    async def submit(self, options: SubmitOptions, course: Course | None = None) -> Submitted:
        """Submit jobs, until the course is stopped."""
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

    def __init__(self, session: FluxSession, state: str) -> None:
        self.session = session
        self.state = state
        self.version = session.hello.version
        self.started = session.hello.started

    @classmethod
    async def over(cls, session: FluxSession) -> SessionBroker:
        """Ask for its state: the session may be an old one. Raises FluxFailed, or SessionLost."""
        return cls(session, str((await session.rpc("state-machine.get"))["state"]))

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

    async def pending_jobs(self) -> tuple[Job, ...]:
        """See Broker."""
        return await list_jobs(self.session, "pending")

    async def nodes(self) -> tuple[Node, ...]:
        """See Broker."""
        return nodes_of(await self.session.rpc("resource.status", {}))

    async def jobs(self) -> tuple[Job, ...]:
        """See Broker."""
        return await list_jobs(self.session)

    async def running_jobs(self) -> tuple[Job, ...]:
        """See Broker."""
        return await list_jobs(self.session, "running")

    async def counts(self) -> dict[str, int]:
        """See Broker."""
        return await count_jobs(self.session)

    async def submit(self, options: SubmitOptions, course: Course | None = None) -> Submitted:
        """See Broker."""
        return await submit(self.session, options, course)

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


# KVS checkpoints, however Flux can be asked: over a session, or by its commands.

KEY: Final = "fluxstate.checkpoint"
"""`flux kvs sync` needs no change, but 0.66 has it not. This change is the same each time."""


class Checkpoints(Protocol):
    """The newest checkpoint of one broker. Both raise FluxFailed, or what broke the connection."""

    async def read(self) -> KvsState:
        """The root now, and how far the newest checkpoint is behind, as far as it is known."""
        ...

    async def make(self) -> KvsState:
        """Make one. Raises FluxstateError if it is not there afterwards."""
        ...

    async def period(self, wanted: float | None) -> str:
        """How often Flux makes one by itself (`60s`), '' for never or if that cannot be known.

        `wanted` (seconds) is set where nothing is; None only looks.
        """
        ...


class SessionCheckpoints:
    """By RPC: whoever made the newest one, it is seen."""

    def __init__(self, session: FluxSession) -> None:
        self._session = session

    async def read(self) -> KvsState:
        """See Checkpoints."""
        return await kvs.read_state(self._session)

    async def make(self) -> KvsState:
        """See Checkpoints."""
        return await kvs.make_checkpoint(self._session)

    async def period(self, wanted: float | None) -> str:
        """See Checkpoints."""
        if wanted is None:
            return await kvs.checkpoint_period(self._session)
        return await kvs.keep_checkpoints(self._session, f"{wanted:g}s")


class CommandCheckpoints:
    """By `flux kvs`, which shows the root but no checkpoint: only our own are known."""

    def __init__(self, executor: Executor, endpoint: Endpoint, clock: Clock) -> None:
        self._executor = executor
        self._endpoint = endpoint
        self._clock = clock
        self._newest: KvsState | None = None

    async def read(self) -> KvsState:
        """See Checkpoints."""
        root = await self._root()
        if self._newest is None:
            return KvsState(root, None, fresh=False)
        return replace(self._newest, root=root, fresh=self._newest.root == root)

    async def make(self) -> KvsState:
        """See Checkpoints. A put with --sync ends when the checkpoint is written (tried)."""
        argv = ["kvs", "put", "--sync", "--blobref", f"{KEY}=1"]
        root = (await run_flux(self._executor, self._endpoint, argv)).strip()
        self._newest = KvsState(root, self._clock.now(), fresh=True)
        return self._newest

    async def period(self, wanted: float | None) -> str:
        """See Checkpoints. Where commands are all there is, Flux's configuration is left alone."""
        return ""

    async def _root(self) -> str:
        argv = ["kvs", "getroot", "--blobref"]
        return (await run_flux(self._executor, self._endpoint, argv, only_reads=True)).strip()


# The same questions by flux's own commands, for containers whose flux has no Python bindings.

_OUTSTANDING = re.compile(r"(\d+) alloc requests pending to scheduler")


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

    async def pending_jobs(self) -> tuple[Job, ...]:
        """See Broker."""
        return parse_jobs(await self._read("jobs", "-A", "-c0", "--filter=pending", "--json"))

    async def nodes(self) -> tuple[Node, ...]:
        """See Broker."""
        return parse_nodes(await self._read(*LIST_NODES))

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

    async def submit(self, options: SubmitOptions, course: Course | None = None) -> Submitted:
        """See Broker."""
        return await submit_by_command(self._cluster, self._endpoint, options, course)

    async def cancel(self, ids: Iterable[int]) -> None:
        """See Broker."""
        for job in ids:
            try:
                await self._flux("cancel", f58_ascii(job))
            except FluxFailed as error:
                if not error.no_active_job:
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
            if error.no_key:
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
