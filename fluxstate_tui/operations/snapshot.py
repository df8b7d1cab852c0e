"""What was read from the world before a plan is made: plans are pure functions of it."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxstate_tui.archive.manifest import folder_of
from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.locate import find_endpoint
from fluxstate_tui.broker.objects import Owned, read_objects
from fluxstate_tui.broker.rpc import CHECKPOINT_KEY
from fluxstate_tui.catalog.catalog import is_there
from fluxstate_tui.catalog.signed import read_signed
from fluxstate_tui.catalog.transfer import free_bytes
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.flux.queue import Queue
from fluxstate_tui.flux.stuck import StuckQueue, find_stuck
from fluxstate_tui.kube.errors import BadAnswer, CannotConnect, Forbidden
from fluxstate_tui.minicluster.minicluster import Derived, MiniCluster, Phase
from fluxstate_tui.minicluster.phase import BrokerAccess, derive

if TYPE_CHECKING:
    from fluxstate_tui.archive.manifest import CatalogEntry


# Queues that carry this in their stop reason were stopped by us: it is how any dashboard, on any
# computer, knows which queues a resume has to start again.
PAUSED_BY_US = "fluxstate:"


def stopped_by_us(queue: Queue) -> bool:
    """It does not schedule because of this program, on whatever computer."""
    return not queue.started and queue.stop_reason.startswith(PAUSED_BY_US)


def closed_by_us(queue: Queue) -> bool:
    """It refuses new jobs because of this program, on whatever computer."""
    return not queue.enabled and queue.disable_reason.startswith(PAUSED_BY_US)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One MiniCluster at one moment. `now` is the cluster's clock, in seconds since the epoch.

    `jobs` and `queues` are None when the broker could not be asked (`unreachable` says why);
    `free` is the room on the volume in bytes; `checkpoint` is the KVS value of
    `checkpoint.job-manager`, None without one (ARCHITECTURE.md#F2); `going_claim` is
    the volume claim of the archives if it is being deleted.
    """

    minicluster: MiniCluster
    now: float
    queues: tuple[Queue, ...] | None = None
    jobs: tuple[Job, ...] | None = None
    catalog: tuple[CatalogEntry, ...] = ()
    armed: bool = False
    free: int | None = None
    checkpoint: str | None = None
    core_version: str = ""
    unreachable: str = ""
    going_claim: str = ""

    @property
    def pending(self) -> tuple[Job, ...]:
        """Jobs that wait."""
        return tuple(job for job in self.jobs or () if job.state.pending)

    @property
    def running(self) -> tuple[Job, ...]:
        """Jobs that hold resources."""
        return tuple(job for job in self.jobs or () if job.state.running)

    @property
    def started(self) -> tuple[str, ...]:
        """Names of the queues that schedule ('' is the anonymous one)."""
        return tuple(queue.name for queue in self.queues or () if queue.started)

    @property
    def stopped_by_us(self) -> tuple[str, ...]:
        """Names of the queues that this program stopped."""
        return tuple(queue.name for queue in self.queues or () if stopped_by_us(queue))

    @property
    def closed_by_us(self) -> tuple[str, ...]:
        """Names of the queues that this program closed."""
        return tuple(queue.name for queue in self.queues or () if closed_by_us(queue))


def counts(jobs: Iterable[Job]) -> dict[str, int]:
    """Jobs by status, as manifests have them."""
    return dict(Counter(job.status for job in jobs))


def describe(jobs: Iterable[Job]) -> str:
    """`2 running, 5 pending, 1008 completed`: in the words of `flux jobs --stats-only`."""
    words: Counter[str] = Counter()
    for job in jobs:
        if job.state is JobState.INACTIVE:
            words[job.status.lower()] += 1
        else:
            words["running" if job.state.running else "pending"] += 1
    order = ("running", "pending", "completed", "failed", "canceled", "timeout")
    known = [f"{words.pop(word)} {word}" for word in order if words[word]]
    return (
        ", ".join(known + [f"{count} {word}" for word, count in sorted(words.items()) if count])
        or "no jobs"
    )


def queue_words(names: Iterable[str]) -> str:
    """`the queue` for the anonymous one, else `queues batch, debug`."""
    named = [name for name in names if name]
    if not named:
        return "the queue"
    return ("queue " if len(named) == 1 else "queues ") + ", ".join(named)


# Reads what plans are made of. Nothing here changes anything.


async def take_snapshot(client: MiniClusterClient, *, catalog: bool = True) -> Snapshot:
    """The queue, and with `catalog` also the volume. Raises FluxstateError."""
    now = await client.cluster_now()
    queues = await client.queues()
    jobs = await client.jobs()
    if not catalog or not client.minicluster.archive_path:
        return Snapshot(client.minicluster, now, queues, jobs, core_version=client.core_version)
    path = client.minicluster.archive_path
    return Snapshot(
        client.minicluster,
        now,
        queues,
        jobs,
        catalog=await read_signed(
            client.context, client.ref.namespace, client.files, folder_of(path)
        ),
        armed=await is_there(client.files, path),
        free=await free_bytes(client.files, posixpath.dirname(path)),
        checkpoint=await client.kvs_get(CHECKPOINT_KEY),
        core_version=client.core_version,
    )


def unreachable(minicluster: MiniCluster, now: float, error: FluxstateError) -> Snapshot:
    """What is left to know when the brokers do not answer."""
    return Snapshot(minicluster, now, unreachable=error.message)


# One MiniCluster at a glance, read once: phase, pods, queues and numbers of jobs.


@dataclass(frozen=True, slots=True)
class MiniClusterStatus:
    """`queues` and `counts` (pending, running, inactive) are None if no broker can be asked.

    `unreachable` says why. `stuck` is an alarm: nothing runs, and what waits first cannot.
    """

    minicluster: MiniCluster
    derived: Derived
    pods_running: int
    queues: tuple[Queue, ...] | None = None
    counts: dict[str, int] | None = None
    unreachable: str = ""
    stuck: StuckQueue | None = None

    @property
    def why(self) -> str:
        """Why it is in this phase; if that is unknown, also which right is wanting."""
        reason = self.derived.reason
        return f"{reason} {self.unreachable}" if self.derived.phase is Phase.UNKNOWN else reason

    @property
    def queue_word(self) -> str:
        """started, stopped, or how many of several are started; `-` when it is not known."""
        if self.queues is None:
            return "-"
        started = sum(queue.started for queue in self.queues)
        if started in (0, len(self.queues)):
            return "started" if started else "stopped"
        return f"{started}/{len(self.queues)} started"


def _access(error: FluxstateError) -> BrokerAccess:
    if isinstance(error, Forbidden):
        return BrokerAccess.NO_RIGHT
    if isinstance(error, BadAnswer):
        return BrokerAccess.REFUSED_ON_THE_WAY
    return BrokerAccess.BREAKS_OFF if isinstance(error, CannotConnect) else BrokerAccess.OPEN


async def _read_stuck(
    client: MiniClusterClient, queues: tuple[Queue, ...], counts: dict[str, int]
) -> StuckQueue | None:
    """Asked only where nothing runs while jobs wait."""
    if counts["running"] or not counts["pending"] or not any(queue.started for queue in queues):
        return None
    found = find_stuck(await client.pending_jobs(), queues, await client.nodes())
    now = await client.cluster_now()
    return found if found is not None and found.since <= now else None


async def read_status(
    context: OperationContext,
    minicluster: MiniCluster,
    owned: Owned | None = None,
    *,
    queue: bool = True,
) -> MiniClusterStatus:
    """Raises KubeError; brokers that do not answer are part of the picture.

    `owned` is what was read of it just now; without `queue` its broker is not asked.
    """
    known_lead = owned is not None
    owned = owned or await read_objects(context, minicluster)
    job, pods, known = owned.job, owned.pods, owned.job_known
    running = sum(pod.phase == "Running" and pod.deleting_since is None for pod in pods)
    now = context.server_now
    if not queue:
        access = BrokerAccess.NOT_ASKED
        derived = derive(minicluster, job, pods, None, (), now, access=access, job_known=known)
        return MiniClusterStatus(minicluster, derived, running)
    try:
        if known_lead:
            leads = [pod.raw for pod in pods if pod.raw is not None]
            lead = find_endpoint(minicluster, leads)
            client = await MiniClusterClient.at(context, minicluster, lead)
        else:
            client = await MiniClusterClient.open(context, minicluster.ref)
    except FluxstateError as error:
        derived = derive(
            minicluster, job, pods, None, (), now, access=_access(error), job_known=known
        )
        return MiniClusterStatus(minicluster, derived, running, unreachable=error.message)
    try:
        queues = await client.queues()
        counts = await client.counts()
        stuck = await _read_stuck(client, queues, counts)
        derived = derive(
            minicluster,
            job,
            pods,
            client.broker_state,
            queues,
            now,
            stuck=stuck,
            job_known=known,
        )
        return MiniClusterStatus(minicluster, derived, running, queues, counts, stuck=stuck)
    except FluxstateError as error:
        derived = derive(minicluster, job, pods, client.broker_state, (), now, job_known=known)
        return MiniClusterStatus(minicluster, derived, running, unreachable=error.message)
    finally:
        await client.close()
