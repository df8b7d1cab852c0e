"""One living MiniCluster as operations see and change it: the only door to its brokers and files.

Requests to Flux go over one long-lived session that is opened again when it breaks. All of them
are harmless to repeat (stop, start, cancel, list, sync); the dump is not, and is never repeated to
the same name.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.flux.command import FluxFailed, run_flux
from fluxstate_tui.flux.locate import locate
from fluxstate_tui.flux.session import FluxSession
from fluxstate_tui.flux.submit import SubmitOptions, submit
from fluxstate_tui.kube.errors import CannotConnect, Forbidden, ReadOnly, Unauthorized
from fluxstate_tui.model.flux_json import job_from_rpc
from fluxstate_tui.model.job import Job
from fluxstate_tui.model.minicluster import MiniCluster
from fluxstate_tui.model.queue import Queue
from fluxstate_tui.operations import last_seen
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.patience import BROKEN_FLUX, patiently
from fluxstate_tui.operations.patient_files import PatientFiles
from fluxstate_tui.operations.read_cluster import read_minicluster

if TYPE_CHECKING:
    from fluxstate_tui.flux.endpoint import Endpoint
    from fluxstate_tui.model.reference import ClusterRef

DUMP_SECONDS = 3600.0
KILLED = 137
_FINAL = (CannotConnect, Unauthorized, Forbidden, ReadOnly)


class WorldError(FluxstateError):
    """The brokers of this MiniCluster cannot be reached; the Kubernetes objects can."""

    exit_code = ExitCode.NO_CONNECTION


class BrokerRestartedError(FluxstateError):
    """The broker that an operation worked with is gone; another one has taken its place."""


class World:
    """Use `World.open`, and `close` it."""

    def __init__(
        self, context: OperationContext, minicluster: MiniCluster, endpoint: Endpoint
    ) -> None:
        self._context = context
        self._endpoint = endpoint
        self._stack = AsyncExitStack()
        self._session: FluxSession | None = None
        self._started: float | None = None
        self.clock = context.clock
        self.minicluster = minicluster
        self.ref = minicluster.ref
        self.files = self._files()

    @classmethod
    async def open(cls, context: OperationContext, ref: ClusterRef) -> World:
        """Find its lead broker and talk to it.

        Raises NotFound when there is no such MiniCluster, WorldError when its brokers cannot be
        reached, KubeError when the cluster cannot.
        """
        minicluster = await read_minicluster(context, ref)
        last_seen.remember(
            context.state_dir, context.cluster.server, minicluster.ref, minicluster.raw
        )
        try:
            endpoint = await locate(context.cluster, minicluster)
            world = cls(context, minicluster, endpoint)
            try:
                await world.connect()
            except BaseException:
                await world.close()
                raise
        except _FINAL:
            raise
        except FluxstateError as error:
            raise WorldError(
                f"the brokers of {ref} cannot be reached: {error.message}",
                safe=error.safe or "Nothing was done.",
                advice=error.advice or "Wait until the MiniCluster is Up.",
                exit_code=error.exit_code,
            ) from error
        return world

    async def close(self) -> None:
        """End the session."""
        self._session = None
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()

    async def connect(self) -> FluxSession:
        """The living session; opened when there is none.

        Raises BrokerRestartedError once when the broker is not the one that it was: what was done
        to its queue may be undone, and what was read of it may not be true any more.
        """
        if self._session is not None:
            return self._session
        cluster = self._context.cluster
        if self._started is not None:
            self._endpoint = await locate(cluster, self.minicluster)
            self.files = self._files()
        session = await self._stack.enter_async_context(FluxSession.open(cluster, self._endpoint))
        self._session = session
        before, self._started = self._started, session.hello.started
        if before is not None and before != self._started:
            raise BrokerRestartedError(
                f"the lead broker of {self.ref} was restarted meanwhile",
                safe="Its queue goes on from its last KVS checkpoint.",
                advice="Look at its queue, then start the operation again.",
            )
        return session

    def _files(self) -> PatientFiles:
        place = (self._endpoint.namespace, self._endpoint.pod, self._endpoint.container)
        return PatientFiles(self._context.cluster, self.clock, *place)

    @property
    def broker_state(self) -> str:
        """As `flux uptime` had it when the session was opened."""
        return self._session.hello.state if self._session else ""

    @property
    def core_version(self) -> str:
        """The version of flux-core."""
        return self._session.hello.version if self._session else ""

    async def cluster_now(self) -> float:
        """The cluster's clock, in seconds since the epoch."""
        return float((await self._ask("ping"))["now"])

    async def queues(self) -> tuple[Queue, ...]:
        """Every queue as read back just now."""
        return _queues(await self._ask("queue.status"))

    async def stop_queues(self, names: list[str], reason: str) -> None:
        """Stop these queues."""
        await self._ask("queue.stop", names=_named(names), reason=reason)

    async def start_queues(self, names: list[str]) -> None:
        """Start these queues."""
        await self._ask("queue.start", names=_named(names))

    async def disable_queues(self, names: list[str], reason: str) -> None:
        """Let these queues refuse new jobs."""
        await self._ask("queue.disable", names=_named(names), reason=reason)

    async def enable_queues(self, names: list[str]) -> None:
        """Let these queues accept new jobs."""
        await self._ask("queue.enable", names=_named(names))

    async def read_back_queues(self, names: Iterable[str], *, started_now: bool) -> str:
        """Raise FluxstateError unless all of them are started (or stopped); else the read-back."""
        wanted = set(names)
        queues = [queue for queue in await self.queues() if queue.name in wanted]
        word = "started" if started_now else "stopped"
        wrong = [queue.name or "the queue" for queue in queues if queue.started is not started_now]
        missing = wanted - {queue.name for queue in queues}
        if wrong or missing:
            raise FluxstateError(f"not {word}: {', '.join([*wrong, *sorted(missing)])}")
        return "; ".join(
            (f"{queue.name}: " if queue.name else "") + f"Scheduling is {word}" for queue in queues
        )

    async def jobs(self) -> tuple[Job, ...]:
        """All jobs of all users."""
        return _jobs(await self._ask("jobs.list"))

    async def running_jobs(self) -> tuple[Job, ...]:
        """Jobs that hold resources, cleanup included."""
        return _jobs(await self._ask("jobs.list", constraint={"states": ["running"]}))

    async def counts(self) -> dict[str, int]:
        """Numbers of jobs that run, wait and are done, without listing them."""
        states = (await self._ask("stats"))["job_states"]
        return {
            "run": states["run"] + states["cleanup"],
            "wait": states["depend"] + states["priority"] + states["sched"],
            "done": states["inactive"],
        }

    async def submit(self, options: SubmitOptions) -> tuple[int, ...]:
        """Submit; returns the ids. Raises FluxstateError with Flux's own words.

        Never repeated over a new session: a lost answer is an unknown outcome.
        """
        done = await submit(await self.connect(), options)
        if done.errors:
            some = f"{len(done.ids)} of {options.copies} jobs were submitted. " if done.ids else ""
            raise FluxstateError(f"{some}flux submit: {done.errors[0]}")
        return done.ids

    async def cancel_jobs(self, ids: Iterable[int]) -> None:
        """Cancel them; one that is done meanwhile is fine."""
        for job in ids:
            try:
                await self._ask("job.cancel", job=job, note="cancelled for a save")
            except FluxFailed as error:
                if error.errno not in (errno.ENOENT, errno.EINVAL):
                    raise

    async def settle(self) -> None:
        """Until the job manager has no request outstanding and the KVS is flushed."""
        while int((await self._ask("queue.status")).get("alloc_pending") or 0):
            await self.clock.sleep(0.2)
        await self.kvs_sync()

    async def kvs_sync(self) -> str:
        """Make a KVS checkpoint; returns its root. Raises FluxstateError if it is not read back."""
        answer = await self._ask("kvs.sync")
        if not answer.get("synced"):
            raise FluxstateError("the KVS checkpoint does not read back")
        return str((answer.get("root") or {}).get("rootref") or "")

    async def kvs_get(self, key: str) -> str | None:
        """The text of a value, None when there is none."""
        try:
            return str((await self._ask("kvs.get", key=key))["value"])
        except FluxFailed as error:
            if error.errno == errno.ENOENT:
                return None
            raise

    async def kvs_put(self, key: str, value: Any) -> None:
        """Set a value (JSON data)."""
        await self._ask("kvs.put", key=key, value=value)

    async def kvs_unlink(self, key: str) -> None:
        """Remove a key; it need not exist."""
        await self._ask("kvs.unlink", key=key)

    async def dump(self, path: str) -> None:
        """`flux dump` to a name that does not exist yet.

        Raises FluxstateError with flux-dump's own words, or one with exit code UNKNOWN when the
        connection was lost meanwhile (the command may still be writing).
        """
        try:
            await run_flux(
                self._context.cluster,
                self._endpoint,
                ["dump", "-q", path],
                timeout=DUMP_SECONDS,
            )
        except FluxFailed as error:
            words = error.said.splitlines() or [error.message]
            raise FluxstateError(
                f"flux dump failed: {words[-1]}",
                safe="It wrote to a temporary name: every archive is as it was.",
                advice="Is the volume full, or not writable for the broker's user?",
                exit_code=ExitCode.UNKNOWN if error.code == KILLED else ExitCode.FAILURE,
            ) from error

    async def _ask(self, request: str, **args: Any) -> dict[str, Any]:
        """Ask, over a new session if the old one broke, as long as that is likely to help."""

        async def once() -> dict[str, Any]:
            try:
                session = await self.connect()
                return await session.request(request, **args)
            except BROKEN_FLUX:
                await self.close()
                raise

        return await patiently(self.clock, once, trouble=BROKEN_FLUX)


def _named(names: list[str]) -> list[str]:
    """No names mean all queues: that is how the anonymous one is addressed."""
    return [] if names == [""] else names


def _queues(answer: dict[str, Any]) -> tuple[Queue, ...]:
    return tuple(
        Queue(
            str(queue.get("name") or ""),
            bool(queue["enable"]),
            bool(queue["start"]),
            str(queue.get("disable_reason") or ""),
            str(queue.get("stop_reason") or ""),
        )
        for queue in answer["queues"]
    )


def _jobs(answer: dict[str, Any]) -> tuple[Job, ...]:
    return tuple(job_from_rpc(job) for job in answer["jobs"])
