"""The public Python API: what the command line does, for scripts, notebooks and services.

    from fluxstate_tui import connect, read_archive

    async with connect(namespace="flux-operator") as client:
        for state in await client.list():
            print(state.ref, state.phase.value, state.pending)
        plan = await client.save("flux-sample")
        print(*plan.preview, sep="\\n")
        await plan.run()

Nothing is changed by a method that returns a plan, but for a helper pod that was agreed to: only
`plan.run()` does it, and it takes the word of `plan.consent` where jobs would be lost. What did not
end as Completed is raised. Every error is a FluxstateError with `message`, `safe`, `advice` and
the `exit_code` of the command line.

Public is what `__all__` names, with the attributes that are documented here; CHANGELOG.md says what
changes. Everything else in this package may change without a word.
"""

from __future__ import annotations

import asyncio
import copy
import importlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fluxstate_tui.archive import reader
from fluxstate_tui.archive.manifest import CatalogEntry, folder_of
from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.broker.context import OperationContext, default_state_dir, default_who
from fluxstate_tui.broker.find import find_minicluster, find_ref
from fluxstate_tui.broker.submit import SubmitOptions
from fluxstate_tui.catalog.access import Reach, volume_files
from fluxstate_tui.catalog.catalog import read_catalog
from fluxstate_tui.catalog.maintenance import choose
from fluxstate_tui.catalog.signed import read_signed
from fluxstate_tui.catalog.transfer import fetch
from fluxstate_tui.clock import SystemClock
from fluxstate_tui.config import Config, GuardSettings, config_path, load_config
from fluxstate_tui.errors import ExitCode, FluxstateError, said
from fluxstate_tui.flux.job import Job
from fluxstate_tui.flux.job_json import job_to_json
from fluxstate_tui.flux.queue import Queue
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.kubeconfig import KubeOptions, current_context
from fluxstate_tui.kube.manifest import ManifestError, for_create, load_manifest, refuse_broken
from fluxstate_tui.kube.objects import parse_minicluster
from fluxstate_tui.live.connection import Connection
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.live.store import Changes, Notices, Store
from fluxstate_tui.live.summary import Summary
from fluxstate_tui.minicluster.minicluster import ClusterRef, MiniCluster, Phase
from fluxstate_tui.minicluster.spec_check import dropped
from fluxstate_tui.operations import registry
from fluxstate_tui.operations.base import (
    Choices,
    Consent,
    OperationKind,
    Outcome,
    OutcomeKind,
    Plan,
    Running,
    StepEvent,
)
from fluxstate_tui.operations.restore.steps import bring_up
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.snapshot import MiniClusterStatus, read_status
from fluxstate_tui.operations.steps import RefusedError
from fluxstate_tui.tasks import together

__all__ = [
    "ArchiveTable",
    "Client",
    "FluxstateError",
    "JobTable",
    "MiniClusterState",
    "OperationFailedError",
    "PlannedOperation",
    "Running",
    "connect",
    "read_archive",
]

_log = logging.getLogger(__name__)
_AT_ONCE = 4
_TICK_SECONDS = 1.0
_UNSEEN = (Freshness.FORBIDDEN, Freshness.REFUSED, Freshness.ABSENT)
_UNGUARDED = GuardSettings(checkpoint=None, save=None)


class OperationFailedError(FluxstateError):
    """An operation did not end as Completed: `outcome` says how. What could be was put back."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(
            f"{outcome.kind.value}: {outcome.reason}",
            safe=outcome.safe,
            advice=outcome.advice,
            exit_code=ExitCode(outcome.exit_code),
        )
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class MiniClusterState:
    """One MiniCluster at a glance. None is what nobody could be asked.

    `queue` is started, stopped or mixed; `inactive` jobs are over, however they
    ended. `deleted`: the object and its pods are gone.
    """

    ref: ClusterRef
    size: int
    phase: Phase
    reason: str
    queue: str | None
    pending: int | None
    running: int | None
    inactive: int | None
    deleted: bool = False


class JobTable(list[dict[str, Any]]):
    """Jobs as dicts, by id, with the keys of `flux jobs --json`; what is empty is left out."""

    def frame(self) -> Any:
        """A pandas.DataFrame, indexed by job id. Raises FluxstateError without pandas."""
        try:
            pandas = importlib.import_module("pandas")
        except ImportError:
            raise FluxstateError(
                "pandas is not installed", advice="pip install pandas, or use the list of dicts."
            ) from None
        frame = pandas.DataFrame(list(self))
        return frame.set_index("id") if self else frame


@dataclass(frozen=True, slots=True)
class ArchiveTable:
    """What one `flux dump` file holds.

    `complete` says that nothing is wrong with it, else `problems` say what; `lost` are ids of jobs
    that a restore would lose. `dumped_at` is in seconds since the epoch, 0 if unknown.
    """

    jobs: JobTable
    complete: bool
    problems: tuple[str, ...]
    lost: frozenset[int]
    dumped_at: float
    size: int
    sha256: str


def read_archive(path: Path | str) -> ArchiveTable:
    """Read a `flux dump` file of this computer, without Flux and without a cluster.

    A damaged one is read as far as it goes. Raises FluxstateError for what is no archive.
    """
    with _errors():
        return _table(reader.read_archive(Path(path)), str(path))


class PlannedOperation:
    """What is going to be done. Run it once, or close it (which the end of `connect` does too)."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation

    @property
    def plan(self) -> Plan:
        """Steps, preview and consent, as data."""
        return self._operation.plan

    @property
    def preview(self) -> tuple[str, ...]:
        """In plain lines what will happen, and what would be lost."""
        return self.plan.preview

    @property
    def consent(self) -> Consent:
        """What it takes: to call `run` is a yes; where it has a `word`, that has to be `typed`."""
        return self.plan.consent

    async def run(
        self, *, typed: str = "", progress: Callable[[StepEvent], None] = lambda event: None
    ) -> Outcome:
        """Carry it out, step by step, each read back; `progress` gets them as they go.

        Raises OperationFailedError unless it was Completed. A task that is cancelled meanwhile puts
        back what was done first.
        """
        with _errors():
            outcome = await self._operation.run(progress, typed)
        if outcome.kind is not OutcomeKind.COMPLETED:
            raise OperationFailedError(outcome)
        return outcome

    async def close(self) -> None:
        """Do nothing of it. Harmless when repeated, or after `run`."""
        with _errors():
            await self._operation.close()


@asynccontextmanager
async def connect(
    *,
    kubeconfig: Path | str | None = None,
    context: str | None = None,
    namespace: str | None = None,
    all_namespaces: bool = False,
    as_user: str | None = None,
    as_groups: Sequence[str] = (),
    read_only: bool | None = None,
    request_timeout: float = 15.0,
) -> AsyncIterator[Client]:
    """A cluster under one identity, chosen as kubectl does. Raises FluxstateError.

    With `read_only` no request that changes anything leaves. None, the default, is read-only where
    the configuration file protects the context; False allows changes there too.
    """
    options = KubeOptions(
        kubeconfig=None if kubeconfig is None else str(kubeconfig),
        context=context,
        namespace=namespace,
        all_namespaces=all_namespaces,
        as_user=as_user,
        as_groups=tuple(as_groups),
        request_timeout=request_timeout,
    )
    async with AsyncExitStack() as stack:
        with _errors():
            config = await asyncio.to_thread(load_config, config_path())
            for problem in config.problems:
                _log.warning("%s", problem)
            opening = _Opening(config, read_only, stack)
            found = await opening.context(options)
        yield Client(found, opening, options)


@dataclass(frozen=True, slots=True)
class _Opening:
    """How clusters are opened, and closed with the whole."""

    config: Config
    read_only: bool | None
    stack: AsyncExitStack

    async def context(self, options: KubeOptions) -> OperationContext:
        """Everything that an operation is given."""
        options = replace(options, read_only=self._is_read_only(options))
        cluster = await self.stack.enter_async_context(await Cluster.open(options))
        room, image = self.config.room_for_copies, self.config.helper_pod.image or ""
        state_dir, who = default_state_dir(), default_who()
        return OperationContext(
            cluster=cluster,
            clock=cluster.clock,
            state_dir=state_dir,
            who=who,
            room_for_copies=room,
            helper_image=image,
            signing_secret=self.config.signing_secret,
        )

    def _is_read_only(self, options: KubeOptions) -> bool:
        if self.read_only is None:
            return self.config.protects(options.context or current_context(options))
        return self.read_only


class Client:
    """Made by `connect`. A `name` of '' is the only MiniCluster that there is.

    Where nothing runs that has the volume of the archives, only a helper pod can reach them:
    HelperPodNeededError (a FluxstateError) says which, and `helper_pod=True` agrees to it.
    """

    def __init__(self, context: OperationContext, opening: _Opening, options: KubeOptions) -> None:
        self._context = context
        self._opening = opening
        self._options = options

    @property
    def read_only(self) -> bool:
        """Whether nothing can be changed."""
        return self._context.cluster.read_only

    async def list(self) -> tuple[MiniClusterState, ...]:
        """All MiniClusters of the namespace (or of all), each asked once."""
        cluster = self._context.cluster
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(found: MiniCluster) -> MiniClusterState:
            async with limit:
                return _of_status(await read_status(self._context, found))

        with _errors():
            items = await cluster.list(await cluster.minicluster_resource(), cluster.scope)
            return tuple(await together(*(one(parse_minicluster(item)) for item in items)))

    async def get(self, name: str = "") -> MiniClusterState:
        """One MiniCluster, asked once."""
        with _errors():
            found = await find_minicluster(self._context.cluster, name)
            return _of_status(await read_status(self._context, found))

    async def watch(self, name: str = "") -> AsyncGenerator[MiniClusterState]:
        """A state each time that one changes, for ever: of that one, or of all without a name.

        It has a connection of its own, which changes nothing. A MiniCluster that is made again
        under the same name is watched on.
        """
        with _errors():
            ref = (await find_minicluster(self._context.cluster, name)).ref if name else None
            # Never more rights than are needed: this one could change nothing if it wanted.
            async with aclosing(_watch(replace(self._options, read_only=True), ref)) as rows:
                async for summary in rows:
                    yield _of_summary(summary)

    async def jobs(self, name: str = "") -> JobTable:
        """All jobs of its queue, as they are now."""
        async with self._broker(name) as broker:
            now = await broker.cluster_now()
            return _jobs(await broker.jobs(), now)

    async def submit(
        self,
        name: str,
        command: Sequence[str],
        *,
        ntasks: int = 1,
        nnodes: int | None = None,
        duration: float = 0.0,
        queue: str = "",
        urgency: int = 16,
        copies: int = 1,
    ) -> tuple[int, ...]:
        """Submit `copies` jobs; returns their ids. `duration` is the time limit in seconds."""
        options = SubmitOptions(
            command=tuple(command),
            ntasks=ntasks,
            nnodes=nnodes,
            duration=duration,
            queue=queue,
            urgency=urgency,
            copies=copies,
        )
        self._refuse_read_only("submitting changes the queue")
        async with self._broker(name) as broker:
            return await broker.submit(options)

    async def create(
        self, manifest: Path | str | Mapping[str, Any], *, timeout: float = 600.0
    ) -> ClusterRef:
        """Create a MiniCluster, and wait at most `timeout` seconds until its broker runs.

        What lies at its `spec.archive.path` is loaded, as always. Raises FluxstateError before
        anything is created for what no working MiniCluster would come out of, or what the API
        server would leave out without a word.
        """
        self._refuse_read_only("a new MiniCluster changes the cluster")
        cluster = self._context.cluster
        with _errors():
            body = for_create(_manifest(manifest))
            resource = await cluster.minicluster_resource()
            refuse_broken(body, resource.version)
            namespace = body["metadata"].setdefault("namespace", cluster.namespace)
            stored = await cluster.create(resource, body, namespace, dry_run=True)
            left_out = dropped(body["spec"], stored["spec"])
            if left_out:
                raise ManifestError(f"The API server would leave out {', '.join(left_out)}.")
            ref = parse_minicluster(await cluster.create(resource, body, namespace)).ref
            broker = await bring_up(self._context, ref, timeout, _log.info)
            await broker.close()
            return ref

    async def archives(
        self, name: str = "", *, helper_pod: bool = False
    ) -> tuple[CatalogEntry, ...]:
        """Its catalog, newest first. What a `manifest` says is a claim: see `read`."""
        with _errors():
            minicluster = await self._minicluster_or_none(name)
            async with volume_files(self._context, minicluster, name, self._reach(helper_pod)) as (
                files,
                path,
            ):
                namespace = (
                    minicluster.ref.namespace if minicluster else self._context.cluster.namespace
                )
                return await read_signed(self._context, namespace, files, folder_of(path))

    async def read(self, name: str, archive: str, *, helper_pod: bool = False) -> ArchiveTable:
        """One archive of its catalog, by id: fetched to a private copy, compared with its checksum
        in the pod, and read. The copy is gone afterwards."""
        with _errors():
            minicluster = await self._minicluster_or_none(name)
            async with volume_files(self._context, minicluster, name, self._reach(helper_pod)) as (
                files,
                path,
            ):
                (entry,) = choose(await read_catalog(files, folder_of(path)), [archive])
                async with fetch(files, entry.path, self._context.state_dir, _log.debug) as found:
                    return await asyncio.to_thread(_table, found, entry.id)

    async def save(
        self,
        name: str = "",
        *,
        running: Running = Running.WAIT,
        wait_seconds: float | None = None,
        keep_paused: bool = False,
    ) -> PlannedOperation:
        """Plan to pause, wait for running jobs, dump, verify, and enter it into the catalog."""
        choices = Choices(running=running, wait_seconds=wait_seconds, keep_paused=keep_paused)
        return await self._plan(OperationKind.SAVE, name, choices)

    async def delete(self, name: str = "", *, save_first: bool = False) -> PlannedOperation:
        """Plan to delete it. The plan says which jobs no archive has."""
        return await self._plan(OperationKind.DELETE, name, Choices(save_first=save_first))

    async def pause(self, name: str = "") -> PlannedOperation:
        """Plan to stop its queues; running jobs go on."""
        return await self._plan(OperationKind.PAUSE, name, Choices())

    async def resume(self, name: str = "") -> PlannedOperation:
        """Plan to start its queues again."""
        return await self._plan(OperationKind.RESUME, name, Choices())

    async def restore(
        self,
        name: str,
        *,
        archive: str = "",
        size: int | None = None,
        manifest: Path | str | Mapping[str, Any] | None = None,
        from_file: Path | str | None = None,
        paused: bool = False,
        timeout: float = 600.0,
        helper_pod: bool = False,
    ) -> PlannedOperation:
        """Plan to create a MiniCluster from an archive, and to account for every job.

        The default `archive` is the newest that has its jobs; `from_file` is one of this computer,
        brought to the volume first. Without a `manifest` it is created as it was seen from here.
        """
        with _errors():
            choices = Choices(
                archive=archive,
                size=size,
                manifest=None if manifest is None else _manifest(manifest, name),
                from_file=None if from_file is None else Path(from_file),
                restore_paused=paused,
                start_timeout=timeout,
            )
        return await self._plan(OperationKind.RESTORE, name, choices, helper_pod=helper_pod)

    async def migrate(
        self,
        name: str = "",
        *,
        size: int | None = None,
        image: str = "",
        to_name: str = "",
        to_namespace: str = "",
        to_context: str = "",
        running: Running = Running.WAIT,
        wait_seconds: float | None = None,
        timeout: float = 600.0,
    ) -> PlannedOperation:
        """Plan to move it; the old one goes only when every job is accounted for in the new one.

        `to_context` is another context of the same kubeconfig. Needs at least one change.
        """
        if size is None and not any((image, to_name, to_namespace, to_context)):
            raise FluxstateError(
                "It does not say what shall change.",
                safe="Nothing was done.",
                advice="Give size, image, to_name, to_namespace or to_context.",
                exit_code=ExitCode.USAGE,
            )
        choices = Choices(
            running=running,
            wait_seconds=wait_seconds,
            size=size,
            image=image,
            to_name=to_name,
            to_namespace=to_namespace,
            to_context=to_context,
            start_timeout=timeout,
        )
        return await self._plan(OperationKind.MIGRATE, name, choices)

    async def _plan(
        self, kind: OperationKind, name: str, choices: Choices, *, helper_pod: bool = False
    ) -> PlannedOperation:
        cluster = self._context.cluster
        choices = replace(choices, start_helper_pod=self._reach(helper_pod).start_helper_pod)
        with _errors():
            may_be_gone = kind is OperationKind.RESTORE
            ref = await find_ref(cluster, name, may_be_gone=may_be_gone)
            destination: OperationContext | None = None
            other = choices.to_context not in ("", cluster.context)
            if other and not cluster.read_only:
                destination = await self._opening.context(
                    replace(
                        self._options,
                        context=choices.to_context,
                        namespace=choices.to_namespace or None,
                    )
                )
            operation = await registry.prepare(kind, self._context, ref, choices, destination)
        self._opening.stack.push_async_callback(operation.close)
        return PlannedOperation(operation)

    @asynccontextmanager
    async def _broker(self, name: str) -> AsyncIterator[MiniClusterClient]:
        with _errors():
            found = await find_minicluster(self._context.cluster, name)
            broker = await MiniClusterClient.open(self._context, found.ref)
            try:
                yield broker
            finally:
                await broker.close()

    async def _minicluster_or_none(self, name: str) -> MiniCluster | None:
        """None for one that was deleted: its volume may be there all the same."""
        try:
            return await find_minicluster(self._context.cluster, name)
        except FluxstateError as error:
            if error.exit_code is not ExitCode.NOT_FOUND or not name:
                raise
            return None

    def _reach(self, helper_pod: bool) -> Reach:
        return Reach(start_helper_pod=helper_pod or self._opening.config.helper_pod.always)

    def _refuse_read_only(self, what: str) -> None:
        if self.read_only:
            raise RefusedError(
                f"{what}, and this is read-only",
                safe="Nothing was sent.",
                advice="connect(read_only=False) allows changes.",
            )


async def _watch(options: KubeOptions, ref: ClusterRef | None) -> AsyncGenerator[Summary]:
    """The rows of the dashboard's list, as they change."""
    store, clock = Store(), SystemClock()

    def wanted(one: ClusterRef) -> bool:
        return ref is None or str(one) == str(ref)

    connection = Connection(options, store, clock, Config(guard=_UNGUARDED), wanted=wanted)
    notices, news = Notices(store), asyncio.Event()
    changed: dict[str, None] = {}

    def take(changes: Changes) -> None:
        changed.update(dict.fromkeys(sorted(changes.summaries)))
        living = [uid for uid, one in store.clusters.items() if one.gone_at is None]
        connection.look("api", (uid for uid in living if wanted(store.clusters[uid].ref)))
        news.set()

    notices.subscribe(take)
    running = asyncio.create_task(connection.run(), name="watch")
    try:
        while not running.done():
            waiting = asyncio.create_task(news.wait())
            await asyncio.wait(
                {waiting, running}, timeout=_TICK_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            waiting.cancel()
            news.clear()
            _refuse_unseen(store)
            while changed:
                uid = next(iter(changed))
                del changed[uid]
                summary = store.summaries.get(uid)
                if summary is not None and wanted(summary.ref):
                    yield summary
            store.tick(clock.now())
        running.result()
    finally:
        notices.close()
        running.cancel()
        await asyncio.wait([running])


def _refuse_unseen(store: Store) -> None:
    """Raise FluxstateError where MiniClusters cannot be watched: it would be silent for ever."""
    source = store.source("miniclusters")
    if source is not None and source.freshness in _UNSEEN:
        raise FluxstateError(
            source.detail or "MiniClusters cannot be watched here", safe="Nothing was changed."
        )


def _of_summary(found: Summary) -> MiniClusterState:
    inactive = None if found.done is None else found.done + (found.failed or 0)
    return MiniClusterState(
        ref=found.ref,
        size=found.size,
        phase=found.phase,
        reason=found.reason,
        queue=found.queue,
        pending=found.pending,
        running=found.running,
        inactive=inactive,
        deleted=found.deleted,
    )


def _of_status(found: MiniClusterStatus) -> MiniClusterState:
    counts: Mapping[str, int] = found.counts or {}
    return MiniClusterState(
        ref=found.minicluster.ref,
        size=found.minicluster.size,
        phase=found.derived.phase,
        reason=found.why,
        queue=None if found.queues is None else _queue_word(found.queues),
        pending=counts.get("pending"),
        running=counts.get("running"),
        inactive=counts.get("inactive"),
    )


def _queue_word(queues: Sequence[Queue]) -> str:
    started = {queue.started for queue in queues}
    return "mixed" if len(started) > 1 else "started" if True in started else "stopped"


def _jobs(jobs: Sequence[Job], now: float | None) -> JobTable:
    return JobTable(job_to_json(job, now) for job in sorted(jobs, key=lambda job: job.id))


def _table(archive: reader.Archive, name: str) -> ArchiveTable:
    archive.refuse_foreign(name)
    return ArchiveTable(
        jobs=_jobs([one.job for one in archive.jobs], archive.dumped_at or None),
        complete=archive.complete,
        problems=tuple(str(finding) for finding in archive.findings),
        lost=archive.lost,
        dumped_at=archive.dumped_at,
        size=archive.size,
        sha256=archive.sha256,
    )


def _manifest(manifest: Path | str | Mapping[str, Any], name: str = "") -> dict[str, Any]:
    if isinstance(manifest, Mapping):
        return copy.deepcopy(dict(manifest))
    return load_manifest(Path(manifest), name)


@contextmanager
def _errors() -> Iterator[None]:
    """What the disk, the clock or an argument is to blame for is a FluxstateError, too."""
    try:
        yield
    except OSError as error:
        raise FluxstateError(said(error)) from error
    except ValueError as error:
        raise FluxstateError(str(error), exit_code=ExitCode.USAGE) from error
