"""One row per MiniCluster: everything that the list of MiniClusters shows."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from fluxstate_tui.live.freshness import Freshness

if TYPE_CHECKING:
    from fluxstate_tui.archive.manifest import CatalogEntry
    from fluxstate_tui.live.freshness import Source
    from fluxstate_tui.live.picture import ClusterPicture
    from fluxstate_tui.minicluster.minicluster import ClusterRef, Derived, Phase
    from fluxstate_tui.minicluster.objects import Pod
    from fluxstate_tui.minicluster.phase import BrokerAccess


class QueueStatus(StrEnum):
    """Whether the queues of a MiniCluster schedule; mixed: some of several do."""

    STARTED = "started"
    STOPPED = "stopped"
    MIXED = "mixed"


class Summary(Struct, frozen=True):
    """A MiniCluster in one row. None means not known yet; times are seconds by our clock.

    `warning` is the loud fact that goes before the reason, '' if there is none. `deleted` says that
    the object and all of its pods are gone: only its last picture is left.
    `queue` is as it was last read back; `queue_since` is when the
    connection to the queue was lost, None while it is live. `archives` counts those that
    do not say they are another's; the newest, its jobs and the most jobs of any are of its own and
    its predecessors', as their manifests say.
    """

    ref: ClusterRef
    phase: Phase
    reason: str
    warning: str
    evidence: tuple[str, ...]
    deleted: bool
    nodes_up: int
    size: int
    queue: QueueStatus | None
    queue_since: float | None
    pending: int | None
    running: int | None
    done: int | None
    failed: int | None
    archives: int | None
    newest_archive: float | None
    newest_jobs: int | None
    most_jobs: int | None
    armed: bool
    created: float


def summarize(
    picture: ClusterPicture,
    derived: Derived,
    pods: Sequence[Pod],
    queue: Source | None,
    *,
    ahead: float = 0.0,
) -> Summary:
    """Reduce one picture to its row. `queue` is the source of its live queue, if there is one.

    `ahead` is the API server's clock minus ours, in seconds.
    """
    counted = picture.jobs_at is not None or picture.counted_at is not None
    counts = picture.counts if counted else None
    mine, archives = own_archives(picture)
    latest = max(mine, key=made_at, default=None)
    newest = None if latest is None else made_at(latest)
    deleted = picture.gone_at is not None and not pods
    return Summary(
        ref=picture.ref,
        phase=derived.phase,
        reason=_reason_of_deleted(picture) if deleted else _reason(derived, queue),
        warning=picture.warning,
        evidence=tuple(filter(None, (picture.warning,))) + (() if deleted else derived.evidence),
        deleted=deleted,
        nodes_up=0 if deleted else _nodes_up(picture, pods),
        size=picture.minicluster.size,
        queue=_queue_status(picture),
        queue_since=_lost_since(picture, queue),
        pending=counts.pending if counts else None,
        running=counts.running if counts else None,
        done=counts.done if counts else None,
        failed=counts.failed if counts else None,
        archives=archives if picture.catalog_at is not None else None,
        newest_archive=None if newest is None else newest - round(ahead),
        newest_jobs=None if latest is None else says_jobs(latest),
        most_jobs=max(filter(None, map(says_jobs, mine)), default=None),
        armed=picture.is_armed,
        # Whole seconds: the offset is not known better, and a row should not change for less.
        created=picture.minicluster.created - round(ahead),
    )


def made_at(entry: CatalogEntry) -> float:
    """When an archive was made: by its manifest, else by its file, both by the cluster's clock.

    Seconds since the epoch.
    """
    return entry.modified if entry.manifest is None else entry.manifest.created


def own_archives(picture: ClusterPicture) -> tuple[tuple[CatalogEntry, ...], int]:
    """Those that say they are its own or its predecessors', and how many are no other's."""
    if not picture.catalog:
        return (), 0
    from fluxstate_tui.catalog.ownership import identity_of, not_of_others, ours

    me = identity_of(picture.ref, picture.minicluster.raw)
    return ours(picture.catalog, me), len(not_of_others(picture.catalog, me))


def says_jobs(entry: CatalogEntry) -> int | None:
    """How many jobs its manifest counts, None without one."""
    return sum(entry.manifest.counts.values()) if entry.manifest is not None else None


def _nodes_up(picture: ClusterPicture, pods: Sequence[Pod]) -> int:
    if picture.nodes:
        return sum(node.up for node in picture.nodes)
    return sum(
        pod.index is not None
        and pod.phase == "Running"
        and bool(pod.containers)
        and all(container.ready for container in pod.containers)
        for pod in pods
    )


def _queue_status(picture: ClusterPicture) -> QueueStatus | None:
    if picture.queues_at is None or not picture.queues:
        return None
    started = {queue.started for queue in picture.queues}
    if len(started) == 2:
        return QueueStatus.MIXED
    return QueueStatus.STARTED if True in started else QueueStatus.STOPPED


def _lost_since(picture: ClusterPicture, queue: Source | None) -> float | None:
    if picture.gone_at is not None:
        return picture.gone_at
    if queue is None or queue.freshness is Freshness.LIVE:
        return None
    return queue.since


def broker_access(picture: ClusterPicture, queue: Source | None) -> BrokerAccess:
    """What is in the way of asking its broker; nothing where that said something before."""
    from fluxstate_tui.minicluster.phase import BrokerAccess

    if queue is None or (picture.broker is not None and picture.broker.state):
        return BrokerAccess.OPEN
    if queue.freshness is Freshness.FORBIDDEN:
        return BrokerAccess.NO_RIGHT
    if queue.freshness is Freshness.ASLEEP:
        return BrokerAccess.NOT_ASKED
    refused = queue.freshness is Freshness.REFUSED
    return BrokerAccess.REFUSED_ON_THE_WAY if refused else BrokerAccess.OPEN


def _reason(derived: Derived, queue: Source | None) -> str:
    """Why it is in its phase; where the broker may not be asked, also which right is wanting."""
    from fluxstate_tui.minicluster.minicluster import Phase

    if queue is None or derived.phase is not Phase.UNKNOWN:
        return derived.reason
    return f"{derived.reason} {queue.detail}"


def _reason_of_deleted(picture: ClusterPicture) -> str:
    _, saved = own_archives(picture)
    if picture.moved_to:
        return (
            f"{picture.ref.name} was migrated to {picture.moved_to} from here: "
            "its queue lives there."
        )
    if saved:
        return (
            f"{picture.ref.name} is deleted and its pods are gone; "
            f"{saved} archive{'s' if saved > 1 else ''} can be restored."
        )
    return f"{picture.ref.name} is deleted and its pods are gone; no archive of it is known."
