"""One living MiniCluster as operations see and change it: the only door to its brokers and files.

Requests to Flux go over the pool's session, and over a new one when that breaks. All of them
are harmless to repeat (stop, start, cancel, list, sync); the dump is not, and is never repeated to
the same name.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeVar

from fluxstate_tui.broker import manifest_cache
from fluxstate_tui.broker.broker import Broker, CommandBroker, SessionBroker
from fluxstate_tui.broker.commands import FluxFailed, NotServing, queue_commands, run_flux
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.locate import locate
from fluxstate_tui.broker.objects import read_minicluster
from fluxstate_tui.broker.retry import BROKEN, BROKEN_FLUX, RetryingFiles, retry
from fluxstate_tui.broker.session import CannotStart, FluxSession
from fluxstate_tui.broker.shell_commands import ShellCommands
from fluxstate_tui.broker.submit import SubmitOptions, Submitted
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.flux.job import Job
from fluxstate_tui.flux.queue import Node, Queue
from fluxstate_tui.kube.errors import (
    BadAnswer,
    CannotConnect,
    ConfigError,
    Forbidden,
    ReadOnly,
    RefusedOnTheWay,
    Unauthorized,
)
from fluxstate_tui.minicluster.minicluster import MiniCluster
from fluxstate_tui.tasks import Course

if TYPE_CHECKING:
    from fluxstate_tui.broker.locate import Endpoint
    from fluxstate_tui.minicluster.minicluster import ClusterRef


T = TypeVar("T")

DUMP_SECONDS = 3600.0
SETTLE_SECONDS = 60.0
SHUTDOWN_SECONDS = 10.0
OPEN_PATIENCE = 15.0
KILLED = 137
_FINAL = (CannotConnect, ConfigError, Unauthorized, Forbidden, ReadOnly, RefusedOnTheWay)
# Who refuses on the way will do so again at once; an operation that has begun waits for it.
_OPENING = tuple(kind for kind in BROKEN if kind is not BadAnswer)


class MiniClusterUnreachableError(FluxstateError):
    """The brokers of this MiniCluster cannot be reached; the Kubernetes objects can."""

    exit_code = ExitCode.NO_CONNECTION


class BrokerRestartedError(FluxstateError):
    """The broker that an operation worked with is gone; another one has taken its place."""


class DumpFailedError(FluxstateError):
    """`flux dump` said no, or was killed (exit code UNKNOWN)."""


class MiniClusterClient:
    """Use `MiniClusterClient.open`, and `close` it."""

    def __init__(
        self, context: OperationContext, minicluster: MiniCluster, endpoint: Endpoint
    ) -> None:
        self.context = self._context = context
        self._endpoint = endpoint
        self._stack = AsyncExitStack()
        self._broker: Broker | None = None
        self._started: float | None = None
        self._pod = ""
        self._served = False
        self.clock = context.clock
        self.minicluster = minicluster
        self.ref = minicluster.ref
        self.files = self._files()

    @classmethod
    async def at(
        cls, context: OperationContext, minicluster: MiniCluster, endpoint: Endpoint
    ) -> MiniClusterClient:
        """Talk to a lead that was found just now, once. Raises as its session does."""
        client = cls(context, minicluster, endpoint)
        try:
            await client.connect()
        except BaseException:
            await client.close()
            raise
        return client

    @classmethod
    async def open(cls, context: OperationContext, ref: ClusterRef) -> MiniClusterClient:
        """Find its lead broker and talk to it.

        Raises NotFound when there is no such MiniCluster, WorldError when its brokers cannot be
        reached, KubeError when the cluster cannot.
        """
        minicluster = await retry(context.clock, lambda: read_minicluster(context, ref))
        manifest_cache.remember(
            context.state_dir, context.cluster.server, minicluster.ref, minicluster.raw
        )
        try:
            endpoint = await retry(context.clock, lambda: locate(context.cluster, minicluster))
            client = cls(context, minicluster, endpoint)
            try:
                await retry(context.clock, client.connect, trouble=_OPENING, seconds=OPEN_PATIENCE)
            except BaseException:
                await client.close()
                raise
        except _FINAL:
            raise
        except FluxstateError as error:
            raise MiniClusterUnreachableError(
                f"the brokers of {ref} cannot be reached: {error.message}",
                safe=error.safe or "Nothing was done.",
                advice=error.advice or "Wait until the MiniCluster is Up.",
                exit_code=error.exit_code,
            ) from error
        return client

    async def close(self) -> None:
        """Give the session back."""
        self._broker = None
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()

    async def connect(self) -> Broker:
        """The broker; a session is opened when there is none.

        Raises BrokerRestartedError once when the broker is not the one that it was: what was done
        to its queue may be undone, and what was read of it may not be true any more.
        """
        if self._broker is not None:
            return self._broker
        if self._started is not None:
            self._endpoint = await locate(self._context.cluster, self.minicluster)
            self.files = self._files()
        broker = self._broker = await self._open_broker()
        before, self._started = self._started, broker.started
        pod, self._pod = self._pod, self._endpoint.pod_uid
        if before is not None and before != self._started:
            raise _restarted(self.ref, replaced=pod != self._pod)
        return broker

    async def _open_broker(self) -> Broker:
        cluster = self._context.cluster
        opening = self._context.brokers.session(self._endpoint)
        try:
            return await SessionBroker.over(await self._stack.enter_async_context(opening))
        except CannotStart as error:
            if not error.no_bindings:
                raise
        return await CommandBroker.open(cluster, self._endpoint)

    def _files(self) -> RetryingFiles:
        place = (self._endpoint.namespace, self._endpoint.pod, self._endpoint.container)
        return RetryingFiles(self._context.cluster, self.clock, place, self._endpoint.mounts)

    def flux_line(self, *words: str) -> str:
        """The line for a shell that runs `flux WORDS` here."""
        return ShellCommands.of(self._context).flux(self._endpoint, *words)

    def queue_lines(self, action: str, names: Iterable[str], reason: str = "") -> list[str]:
        """The lines for a shell that start, stop, enable or disable these queues."""
        commands = queue_commands(self.core_version, action, list(names), reason)
        return [self.flux_line(*words) for words in commands]

    def file_line(self, *argv: str) -> str:
        """The line for a shell that works on its files."""
        return ShellCommands.of(self._context).inside(self.files.place, *argv)

    def session(self) -> FluxSession | None:
        """The session, None while there is none."""
        return self._broker.session if isinstance(self._broker, SessionBroker) else None

    @property
    def broker_state(self) -> str:
        """As `flux uptime` had it when the session was opened."""
        return self._broker.state if self._broker else ""

    @property
    def broker_started(self) -> float:
        """When it started, in seconds since the epoch; 0 when it does not say."""
        return self._started or 0.0

    @property
    def core_version(self) -> str:
        """The version of flux-core."""
        return self._broker.version if self._broker else ""

    async def cluster_now(self) -> float:
        """The cluster's clock, in seconds since the epoch."""
        return await self._ask(lambda broker: broker.now())

    async def queues(self) -> tuple[Queue, ...]:
        """Every queue as read back just now."""
        return await self._ask(lambda broker: broker.queues())

    async def stop_queues(self, names: list[str], reason: str) -> None:
        """Stop these queues."""
        wanted = _named(names)
        await self._ask(lambda broker: broker.start(wanted, started=False, reason=reason))

    async def start_queues(self, names: list[str]) -> None:
        """Start these queues."""
        await self._ask(lambda broker: broker.start(_named(names), started=True))

    async def disable_queues(self, names: list[str], reason: str) -> None:
        """Let these queues refuse new jobs. Raises FluxstateError when one does not."""
        wanted = _named(names)
        await self._ask(lambda broker: broker.enable(wanted, enabled=False, reason=reason))
        await self.read_back_enabled(names, enabled=False)

    async def enable_queues(self, names: list[str]) -> None:
        """Let these queues accept new jobs. Raises FluxstateError when one does not."""
        await self._ask(lambda broker: broker.enable(_named(names), enabled=True))
        await self.read_back_enabled(names, enabled=True)

    async def read_back_enabled(self, names: Iterable[str], *, enabled: bool) -> None:
        """Raise FluxstateError unless all of them are enabled (or disabled)."""
        there = {queue.name: queue.enabled for queue in await self.queues()}
        wrong = [name or "the queue" for name in names if there.get(name) is not enabled]
        if wrong:
            word = "enabled" if enabled else "disabled"
            raise FluxstateError(f"submission is not {word}: {', '.join(wrong)}")

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
        return await self._ask(lambda broker: broker.jobs())

    async def running_jobs(self) -> tuple[Job, ...]:
        """Jobs that hold resources, cleanup included."""
        return await self._ask(lambda broker: broker.running_jobs())

    async def pending_jobs(self) -> tuple[Job, ...]:
        """Jobs that wait."""
        return await self._ask(lambda broker: broker.pending_jobs())

    async def nodes(self) -> tuple[Node, ...]:
        """Every rank, up or down."""
        return await self._ask(lambda broker: broker.nodes())

    async def counts(self) -> dict[str, int]:
        """Numbers of jobs that are pending, running and inactive."""
        return await self._ask(lambda broker: broker.counts())

    async def submit(self, options: SubmitOptions) -> tuple[int, ...]:
        """Submit; returns the ids. Raises FluxstateError with Flux's own words.

        Never repeated over a new session: a lost answer is an unknown outcome.
        """
        done = await self.submit_until(options, Course(options.copies))
        some = f"{len(done.ids)} of {options.copies} jobs were submitted. " if done.ids else ""
        if done.lost is not None:
            raise FluxstateError(
                f"{some}{done.lost.message}",
                safe=done.lost.safe,
                advice=done.lost.advice,
                exit_code=done.lost.exit_code,
            )
        if done.errors:
            raise FluxstateError(f"{some}flux submit: {done.errors[0]}")
        return done.ids

    async def submit_until(self, options: SubmitOptions, course: Course) -> Submitted:
        """As `submit`, until the course is stopped; what came of it."""
        return await (await self.connect()).submit(options, course)

    async def cancel_jobs(self, ids: list[int]) -> None:
        """Cancel them; one that is done meanwhile is fine."""
        await self._ask(lambda broker: broker.cancel(ids))

    async def settle(self) -> None:
        """Until the job manager has no request outstanding and the KVS is flushed.

        A stopped queue has none soon. Raises FluxstateError when some are left after a minute.
        """
        begin = self.clock.now()
        while left := await self._ask(lambda broker: broker.requests_outstanding()):
            if self.clock.now() - begin > SETTLE_SECONDS:
                raise FluxstateError(
                    f"the scheduler still works on {left} requests after {SETTLE_SECONDS:.0f} s",
                    advice="Did somebody start the queue meanwhile? Look at `flux queue status`.",
                )
            await self.clock.sleep(0.2)
        await self.kvs_sync()

    async def kvs_sync(self) -> str:
        """Make a KVS checkpoint; returns its root. Raises FluxstateError if it is not read back."""
        return await self._ask(lambda broker: broker.checkpoint())

    async def kvs_get(self, key: str) -> str | None:
        """The text of a value, None when there is none."""
        return await self._ask(lambda broker: broker.kvs_get(key))

    async def kvs_put(self, key: str, value: Any) -> None:
        """Set a value (JSON data), and make a KVS checkpoint."""
        await self._ask(lambda broker: broker.kvs_put(key, value))

    async def kvs_unlink(self, key: str) -> None:
        """Remove a key (it need not exist), and make a KVS checkpoint."""
        await self._ask(lambda broker: broker.kvs_unlink(key))

    async def dump(self, path: str) -> None:
        """`flux dump` to a name that does not exist yet, in that very folder of the volume.

        Raises DumpFailedError with flux-dump's own words, or one with exit code UNKNOWN when the
        connection was lost meanwhile (the command may still be writing).
        """
        try:
            await run_flux(
                self._context.cluster,
                self._endpoint,
                ["dump", "-q", *self._speed(), f"./{posixpath.basename(path)}"],
                timeout=DUMP_SECONDS,
                wrapped=lambda argv: self.files.inside(posixpath.dirname(path), argv),
            )
        except FluxFailed as error:
            if problem := self.files.refused(path, error.code, error.said):
                raise problem from error
            raise DumpFailedError(
                f"flux dump failed: {error.last_line}",
                safe="It wrote to a temporary name: every archive is as it was.",
                advice="Is the volume full, or not writable for the broker's user?",
                exit_code=ExitCode.UNKNOWN if error.code == KILLED else ExitCode.FAILURE,
            ) from error

    async def shut_down(self) -> None:
        """Let Flux end by itself, and the pods' containers with it; returns when it has begun.

        It cancels what runs. Raises FluxFailed when Flux refuses, or a KubeError.
        """
        argv = ["shutdown", "--background"]
        await run_flux(self._context.cluster, self._endpoint, argv, timeout=SHUTDOWN_SECONDS)

    async def state_dir(self) -> str:
        """Where the broker keeps its KVS. Raises FluxFailed, or a KubeError."""
        cluster, argv = self._context.cluster, ["getattr", "statedir"]
        return (await run_flux(cluster, self._endpoint, argv, only_reads=True)).strip()

    def _speed(self) -> list[str]:
        """Twice as fast (ARCHITECTURE.md#F14), where flux-dump knows it: since flux-core 0.81."""
        numbers = [int(part) for part in re.findall(r"\d+", self.core_version)[:2]]
        return ["--maxreqs=64"] if numbers >= [0, 81] else []

    async def _ask(self, question: Callable[[Broker], Awaitable[T]]) -> T:
        """Ask, over a new session if the old one broke, as long as that is likely to help."""

        async def once() -> T:
            try:
                answer = await question(await self.connect())
            except BROKEN_FLUX:
                await self.close()
                raise
            self._served = True
            return answer

        # A restarted broker loads its jobs first: with thousands of them that takes a while.
        trouble = (*BROKEN_FLUX, NotServing) if self._served else BROKEN_FLUX
        return await retry(self.clock, once, trouble=trouble)


def _restarted(ref: ClusterRef, *, replaced: bool) -> BrokerRestartedError:
    if replaced:  # its KVS was in the pod (emptyDir)
        return BrokerRestartedError(
            f"the lead pod of {ref} was replaced meanwhile: its queue was in that pod",
            safe="What the archives have is safe.",
            advice=f"Look what is missing, and restore: fluxstate-tui archives list {ref.name}",
        )
    return BrokerRestartedError(
        f"the lead broker of {ref} was restarted meanwhile",
        safe="Its queue goes on from its last KVS checkpoint.",
        advice="Look at its queue, then start the operation again.",
    )


def _named(names: list[str]) -> list[str]:
    """No names mean all queues: that is how the anonymous one is addressed."""
    return [] if names == [""] else names
