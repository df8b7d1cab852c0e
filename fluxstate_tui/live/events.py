"""Everything that the store takes in: plain, timestamped events.

The same stream, written to a file, is a recording, a fixture and a bug report, so an event holds
data only: no client, no task, no callback. `at` is seconds since the epoch by our own clock.

They are msgspec Structs: twenty dataclasses take 50 ms to be made, before the first paint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from fluxstate_tui.live.freshness import Freshness

if TYPE_CHECKING:
    from fluxstate_tui.archive.manifest import CatalogEntry
    from fluxstate_tui.diagnosis.evidence import BrokerView
    from fluxstate_tui.flux.job import Job
    from fluxstate_tui.flux.queue import Node, Queue
    from fluxstate_tui.minicluster.minicluster import ClusterRef, MiniCluster
    from fluxstate_tui.minicluster.objects import KubeEvent, KubeJob, Pod


class SourceChanged(Struct, frozen=True):
    """A source changed: miniclusters, pods, jobs, events, queue:<uid> or catalog:<uid>.

    `detail` is one sentence for people: why it is stale, which right is missing, or which
    fall-back is in use.
    """

    source: str
    freshness: Freshness
    detail: str
    at: float


class MiniClustersListed(Struct, frozen=True):
    """The complete set of MiniClusters: what is not in it is gone."""

    items: tuple[MiniCluster, ...]
    at: float


class MiniClusterChanged(Struct, frozen=True):
    """One MiniCluster was added or changed."""

    item: MiniCluster
    at: float


class MiniClusterGone(Struct, frozen=True):
    """One MiniCluster was deleted (its pods may linger)."""

    uid: str
    at: float


class MiniClusterMoved(Struct, frozen=True):
    """One MiniCluster was migrated from this computer; `to` is where, in words."""

    uid: str
    to: str
    at: float


class PodsListed(Struct, frozen=True):
    """The complete set of pods."""

    items: tuple[Pod, ...]
    at: float


class PodChanged(Struct, frozen=True):
    """One pod was added or changed."""

    item: Pod
    at: float


class PodGone(Struct, frozen=True):
    """One pod is gone."""

    uid: str
    at: float


class KubeJobsListed(Struct, frozen=True):
    """The complete set of Kubernetes Jobs."""

    items: tuple[KubeJob, ...]
    at: float


class KubeJobChanged(Struct, frozen=True):
    """One Kubernetes Job was added or changed."""

    item: KubeJob
    at: float


class KubeJobGone(Struct, frozen=True):
    """One Kubernetes Job is gone."""

    uid: str
    at: float


class KubeEventSeen(Struct, frozen=True):
    """One Kubernetes event was seen (or counted again)."""

    item: KubeEvent
    at: float


class ServerClockSeen(Struct, frozen=True):
    """The API server's clock: minus ours in seconds at `at`, and how many of its seconds pass in
    one of ours (1.0 unless its time is scaled, in a simulation)."""

    offset: float
    rate: float
    at: float


class BrokerSeen(Struct, frozen=True):
    """What the lead broker says of itself. `state` as `flux uptime`: join init quorum run ...

    `clock_offset` is the cluster's clock minus ours, in seconds, at `at`; `clock_rate` is how many
    of its seconds pass in one of ours (1.0 unless its time is scaled).
    """

    cluster: ClusterRef
    state: str
    version: str
    clock_offset: float
    clock_rate: float
    at: float


class QueuesSeen(Struct, frozen=True):
    """The queues and nodes of one MiniCluster as just read back."""

    cluster: ClusterRef
    queues: tuple[Queue, ...]
    nodes: tuple[Node, ...]
    at: float


class CountsSeen(Struct, frozen=True):
    """How many jobs one MiniCluster has, as its broker counts them, without the jobs themselves."""

    cluster: ClusterRef
    pending: int
    running: int
    done: int
    failed: int
    at: float


class JobsListed(Struct, frozen=True):
    """The complete set of jobs of one MiniCluster, by id."""

    cluster: ClusterRef
    jobs: dict[int, Job]
    at: float


class JobsChanged(Struct, frozen=True):
    """Some jobs of one MiniCluster are new or changed."""

    cluster: ClusterRef
    jobs: tuple[Job, ...]
    at: float


class CatalogSeen(Struct, frozen=True):
    """The archives beside one MiniCluster's `archive.path`, and whether one is armed."""

    cluster: ClusterRef
    entries: tuple[CatalogEntry, ...]
    armed: bool
    at: float


class GuardSeen(Struct, frozen=True):
    """How well one MiniCluster is guarded against the death of its lead's container.

    `checkpoint_at` is when the newest KVS checkpoint was made, by the cluster's clock; `saved_at`
    when the guard saved it by itself, by our clock; None = not known, never. `detail` is one
    sentence: why the guard is off, or what is in its way; '' when all is well. `period` is how
    often Flux makes a checkpoint by itself (`60s`), '' for never or unknown.
    """

    cluster: ClusterRef
    checkpoint_at: float | None
    saved_at: float | None
    detail: str
    at: float
    period: str = ""


class BrokerInsideSeen(Struct, frozen=True):
    """What the lead broker says of its settings, its state directory and its brokers."""

    cluster: ClusterRef
    view: BrokerView
    at: float


StoreEvent = (
    SourceChanged
    | MiniClustersListed
    | MiniClusterChanged
    | MiniClusterGone
    | MiniClusterMoved
    | PodsListed
    | PodChanged
    | PodGone
    | KubeJobsListed
    | KubeJobChanged
    | KubeJobGone
    | KubeEventSeen
    | ServerClockSeen
    | BrokerSeen
    | QueuesSeen
    | CountsSeen
    | JobsListed
    | JobsChanged
    | CatalogSeen
    | GuardSeen
    | BrokerInsideSeen
)
