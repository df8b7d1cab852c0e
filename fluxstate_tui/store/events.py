"""Everything that the store takes in: plain, timestamped events.

The same stream, written to a file, is a recording, a fixture and a bug report, so an event holds
data only: no client, no task, no callback. `at` is seconds since the epoch by our own clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxstate_tui.store.freshness import Freshness as Freshness

if TYPE_CHECKING:
    from fluxstate_tui.archive.manifest import CatalogueEntry
    from fluxstate_tui.model.job import Job
    from fluxstate_tui.model.kubernetes import KubeEvent, KubeJob
    from fluxstate_tui.model.minicluster import MiniCluster
    from fluxstate_tui.model.pod import Pod
    from fluxstate_tui.model.queue import Node, Queue
    from fluxstate_tui.model.reference import ClusterRef


@dataclass(frozen=True, slots=True)
class SourceChanged:
    """A source changed: miniclusters, pods, jobs, events, queue:<uid> or catalogue:<uid>.

    `detail` is one sentence for people: why it is stale, which right is missing, or which
    fall-back is in use.
    """

    source: str
    freshness: Freshness
    detail: str
    at: float


@dataclass(frozen=True, slots=True)
class MiniClustersListed:
    """The complete set of MiniClusters: what is not in it is gone."""

    items: tuple[MiniCluster, ...]
    at: float


@dataclass(frozen=True, slots=True)
class MiniClusterChanged:
    """One MiniCluster was added or changed."""

    item: MiniCluster
    at: float


@dataclass(frozen=True, slots=True)
class MiniClusterGone:
    """One MiniCluster was deleted (its pods may linger)."""

    uid: str
    at: float


@dataclass(frozen=True, slots=True)
class PodsListed:
    """The complete set of pods."""

    items: tuple[Pod, ...]
    at: float


@dataclass(frozen=True, slots=True)
class PodChanged:
    """One pod was added or changed."""

    item: Pod
    at: float


@dataclass(frozen=True, slots=True)
class PodGone:
    """One pod is gone."""

    uid: str
    at: float


@dataclass(frozen=True, slots=True)
class KubeJobsListed:
    """The complete set of Kubernetes Jobs."""

    items: tuple[KubeJob, ...]
    at: float


@dataclass(frozen=True, slots=True)
class KubeJobChanged:
    """One Kubernetes Job was added or changed."""

    item: KubeJob
    at: float


@dataclass(frozen=True, slots=True)
class KubeJobGone:
    """One Kubernetes Job is gone."""

    uid: str
    at: float


@dataclass(frozen=True, slots=True)
class KubeEventSeen:
    """One Kubernetes event was seen (or counted again)."""

    item: KubeEvent
    at: float


@dataclass(frozen=True, slots=True)
class BrokerSeen:
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


@dataclass(frozen=True, slots=True)
class QueuesSeen:
    """The queues and nodes of one MiniCluster as just read back."""

    cluster: ClusterRef
    queues: tuple[Queue, ...]
    nodes: tuple[Node, ...]
    at: float


@dataclass(frozen=True, slots=True)
class JobsListed:
    """The complete set of jobs of one MiniCluster."""

    cluster: ClusterRef
    jobs: tuple[Job, ...]
    at: float


@dataclass(frozen=True, slots=True)
class JobsChanged:
    """Some jobs of one MiniCluster are new or changed."""

    cluster: ClusterRef
    jobs: tuple[Job, ...]
    at: float


@dataclass(frozen=True, slots=True)
class CatalogueSeen:
    """The archives beside one MiniCluster's `archive.path`, and whether one is armed."""

    cluster: ClusterRef
    entries: tuple[CatalogueEntry, ...]
    armed: bool
    at: float


@dataclass(frozen=True, slots=True)
class GuardSeen:
    """How well one MiniCluster is guarded against the death of its lead's container.

    `checkpoint_at` is when the newest KVS checkpoint was made, by the cluster's clock; `saved_at`
    when the guard saved it by itself, by our clock; None = not known, never. `detail` is one
    sentence: why the guard is off, or what is in its way; '' when all is well.
    """

    cluster: ClusterRef
    checkpoint_at: float | None
    saved_at: float | None
    detail: str
    at: float


StoreEvent = (
    SourceChanged
    | MiniClustersListed
    | MiniClusterChanged
    | MiniClusterGone
    | PodsListed
    | PodChanged
    | PodGone
    | KubeJobsListed
    | KubeJobChanged
    | KubeJobGone
    | KubeEventSeen
    | BrokerSeen
    | QueuesSeen
    | JobsListed
    | JobsChanged
    | CatalogueSeen
    | GuardSeen
)
