"""What screens ask for, done over the open connection (implements screens.actions.Actions).

Clients, operations and the archive reader are imported by the methods that need them: this module
is there before the first paint.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.live.actions import (
    Interrupted,
    JobDetail,
    Operation,
    OutputLine,
    SubmitRequest,
)
from fluxstate_tui.live.connection import Connection
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import registry
from fluxstate_tui.operations.base import OperationKind
from fluxstate_tui.operations.registry import Right

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from contextlib import AbstractAsyncContextManager

    from fluxstate_tui.archive.manifest import CatalogEntry
    from fluxstate_tui.archive.progress import Reading
    from fluxstate_tui.archive.verify import Verdict
    from fluxstate_tui.live.actions import JobAnswer, JobRequest, SubmitAnswer
    from fluxstate_tui.live.archives import ArchiveCopies
    from fluxstate_tui.live.destinations import Destinations
    from fluxstate_tui.live.interruptions import Interruptions
    from fluxstate_tui.operations.base import Choices, Outcome
    from fluxstate_tui.operations.lease import Holder
    from fluxstate_tui.tasks import Course


class LiveActions:
    """The way from a key to the cluster. Everything it returns was read back.

    `protects` says which contexts the configuration makes read-only.
    """

    def __init__(
        self,
        connection: Connection,
        read_only: bool,
        protects: Callable[[str], bool] = lambda context: False,
    ) -> None:
        self._connection = connection
        self._read_only = read_only
        self._protects = protects
        self._helper_pods: set[str] = set()

    async def close(self) -> None:
        """End what was opened, and remove the private copies of archives that were looked into."""
        if "_destinations" in vars(self):
            await self._destinations.stop()
        if "_copies" in vars(self):
            self._copies.close()

    @cached_property
    def _destinations(self) -> Destinations:
        from fluxstate_tui.live.destinations import Destinations

        return Destinations(self._connection, self._protects)

    @cached_property
    def _copies(self) -> ArchiveCopies:
        from fluxstate_tui.live.archives import ArchiveCopies

        return ArchiveCopies()

    @cached_property
    def _interruptions(self) -> Interruptions:
        from fluxstate_tui.live.interruptions import Interruptions

        return Interruptions(self._connection)

    async def prepare(self, kind: OperationKind, ref: ClusterRef, choices: Choices) -> Operation:
        """Read the world and plan an operation."""
        from fluxstate_tui.live.relayed import RelayedOperation

        agreed = ref.uid in self._helper_pods or self._connection.helper_pods_always
        choices = replace(choices, start_helper_pod=agreed)
        context, destination, there = self._connection.context, None, None
        if kind is OperationKind.MIGRATE and not context.cluster.read_only:
            destination, there = await self._destinations.open(ref, choices)
        self._connection.hold(ref)
        try:
            operation = await registry.prepare(kind, context, ref, choices, destination)
        except BaseException:
            self._connection.release(ref)
            raise
        arrival = operation.plan.arrival
        refs = (ref,) if arrival is None else (ref, arrival.ref)
        return RelayedOperation(
            operation,
            lambda: self._look_again(refs),
            lambda outcome: self._ended(kind, ref, outcome),
            lambda: self._connection.release(ref),
            there,
        )

    def _look_again(self, refs: tuple[ClusterRef, ...]) -> None:
        """What an operation did to one is seen, and to the one that came in its place."""
        self._connection.look_again(refs)
        if "_destinations" in vars(self):
            self._destinations.look_again(refs)

    async def _ended(self, kind: OperationKind, ref: ClusterRef, outcome: Outcome) -> Outcome:
        if kind is OperationKind.MIGRATE:
            self._connection.look_for_moves()
        return await self._interruptions.ended(kind, ref, outcome)

    async def default_archive(self, ref: ClusterRef) -> str:
        """The id of the archive that a restore would take, as far as it is known without reading.

        '' when that is not clear.
        """
        from fluxstate_tui.catalog.contents import NoDefaultError, default
        from fluxstate_tui.catalog.records import identity, ours, recalled

        context = self._connection.context
        picture = self._connection.picture(ref)
        if picture is None:
            return ""
        me = identity(context, ref, picture.minicluster.raw)
        known = await asyncio.to_thread(recalled, picture.catalog, context.state_dir)
        mine = ours(known, me)
        try:
            found = default(mine, context.server_now)
        except NoDefaultError:
            return ""
        unread = any(one.contents is None for one in mine)
        return found.entry.id if found is not None and not unread else ""

    async def contexts(self) -> tuple[str, ...]:
        """The contexts that a migration could go to, the one that is shown first."""
        return await self._destinations.contexts()

    async def namespaces(self, context: str) -> tuple[str, ...]:
        """The namespaces of a context, as far as they may be listed."""
        return await self._destinations.namespaces(context)

    async def holder(self, ref: ClusterRef) -> Holder | None:
        """The operator who works on it now, None when nobody does or we may not look."""
        from fluxstate_tui.operations.lease import holder_of

        return await holder_of(self._connection.context, ref)

    async def break_lock(self, ref: ClusterRef, holder: Holder) -> None:
        """Take that very lock away from its holder."""
        from fluxstate_tui.operations.lease import break_lock

        self._refuse_read_only("break the lock")
        await break_lock(self._connection.context, ref, holder)

    async def interrupted(self) -> tuple[Interrupted, ...]:
        """Operations whose program was killed, as the world is now."""
        return await self._interruptions.look()

    async def close_interrupted(self, identity: str) -> None:
        """Do not show that one again."""
        self._interruptions.close(identity)

    async def preview_restore(
        self, ref: ClusterRef, archive: str, size: int | None
    ) -> tuple[str, ...]:
        """What a restore onto `size` pods would bring, in plain lines."""
        from fluxstate_tui.archive.progress import Reading
        from fluxstate_tui.kube.manifest import for_create
        from fluxstate_tui.operations.restore.plan import Source, preview_restore

        entry = self._connection.catalog_entry(ref, archive)
        verdict = await self.open_archive(ref, entry, Reading())
        raw = self._connection.minicluster(ref).raw
        wanted = size or (entry.manifest.size if entry.manifest else None)
        again = Source(entry, verdict.archive).queues_to_start
        return preview_restore(verdict.archive, for_create(raw, size=wanted)).lines(again)

    async def job_detail(self, ref: ClusterRef, job_id: int) -> JobDetail:
        """Eventlog, jobspec and output of one job, from the broker."""
        from fluxstate_tui.live.job_actions import read_detail

        return await read_detail(self._connection.watched(ref).session(), job_id)

    def follow_output(
        self, ref: ClusterRef, job_id: int
    ) -> AbstractAsyncContextManager[AsyncIterator[tuple[OutputLine, ...]]]:
        """A job's output from its begin, live."""
        from fluxstate_tui.live.job_actions import follow_output

        return follow_output(self._connection.watched(ref).session(), job_id)

    async def submit(self, ref: ClusterRef, request: SubmitRequest, course: Course) -> SubmitAnswer:
        """Submit jobs, with a line of the audit log."""
        from fluxstate_tui.live.job_actions import submit_and_log

        self._refuse_read_only("submit")
        queue = self._connection.watched(ref).queue
        return await submit_and_log(queue, self._connection.context, request, course)

    async def act_on_jobs(
        self, ref: ClusterRef, ids: tuple[int, ...], request: JobRequest, course: Course
    ) -> tuple[JobAnswer, ...]:
        """Do it to each job; what was read back of each, or why Flux refused it."""
        from fluxstate_tui.broker.shell_commands import ShellCommands
        from fluxstate_tui.live.job_actions import JobQueue, act_and_log

        self._refuse_read_only(request.verb)
        watched = self._connection.watched(ref)
        session, endpoint = watched.session(), watched.queue.endpoint
        assert endpoint is not None, "a session is somewhere"
        context = self._connection.context
        line = partial(ShellCommands.of(context).flux, endpoint)
        queue = JobQueue(context, ref, session, line)
        return await act_and_log(queue, ids, request, course)

    async def refresh_archives(self, ref: ClusterRef) -> None:
        """Read the catalog again; it comes back through the store."""
        self._connection.watched(ref).catalog.wake()

    async def open_archive(self, ref: ClusterRef, entry: CatalogEntry, reading: Reading) -> Verdict:
        """Fetch an archive of the catalog to a private copy, verified, and read it."""
        known = self._copies.known(ref.uid, entry)
        if known is not None:
            return known
        agreed = ref.uid in self._helper_pods
        async with self._connection.files(ref, start_helper_pod=agreed) as files:
            return await self._copies.read(ref.uid, entry, files, reading)

    def look(self, viewer: str, refs: Iterable[ClusterRef]) -> None:
        """`viewer` (a screen) shows these MiniClusters now, the most important first."""
        self._connection.look(viewer, (ref.uid for ref in refs))

    def connected(self) -> int:
        """How many MiniClusters are connected: of the others only the last answers are known."""
        return self._connection.connected

    def agree_to_helper_pod(self, ref: ClusterRef) -> None:
        """From now on a helper pod may read the archives of that MiniCluster."""
        self._helper_pods.add(ref.uid)

    def why_not(self, kind: OperationKind | Literal["submit"], ref: ClusterRef) -> str:
        """Why that is not allowed there (a missing right, --read-only), '' if it is."""
        if self._read_only:
            return f"{kind} would change the cluster, and this is --read-only."
        needs = (Right.EXEC,) if kind == "submit" else registry.spec(kind).rights
        return self._connection.rights.why_not(kind, needs, ref.namespace)

    def _refuse_read_only(self, what: str) -> None:
        if self._read_only:
            raise FluxstateError(
                f"'{what}' would change the queue, and this is --read-only",
                safe="Nothing was sent.",
            )
