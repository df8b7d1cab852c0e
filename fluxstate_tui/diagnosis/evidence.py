"""The picture that rules look at. What could not be read is None, which is not the same as none."""

from __future__ import annotations

from dataclasses import dataclass

from fluxstate_tui.diagnosis.finding import Quote, Source
from fluxstate_tui.flux.queue import Node, Queue
from fluxstate_tui.minicluster.minicluster import MiniCluster
from fluxstate_tui.minicluster.objects import KubeEvent, KubeJob, Pod


@dataclass(frozen=True, slots=True)
class Claim:
    """A persistent volume claim. `storage_class` is None where the claim names none."""

    uid: str
    name: str
    phase: str
    storage_class: str | None = None


@dataclass(frozen=True, slots=True)
class BrokerView:
    """What Flux says of itself; each field is None where it was not asked.

    `torpid` are ranks that do not answer though the overlay counts them. Sizes are in bytes.
    `greatest_id_seen` is the greatest job id that was seen in this instance or before it, and
    `next_id` is a lower bound of the next one.
    """

    size: int | None = None
    torpid: tuple[int, ...] | None = None
    checkpoint_period: float | None = None
    private: bool | None = None
    state_used: int | None = None
    state_free: int | None = None
    lost_and_found: int | None = None
    greatest_id_seen: int | None = None
    next_id: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is known of one MiniCluster at `now` (the cluster's clock, epoch seconds).

    `may_list` False says that Job and pods could not be read. `events` are those of the
    MiniCluster, its Job, its pods and its claims; logs are the last lines. `asked` is when the
    broker was asked, None for just now.
    """

    minicluster: MiniCluster
    now: float
    job: KubeJob | None = None
    pods: tuple[Pod, ...] = ()
    may_list: bool = True
    events: tuple[KubeEvent, ...] | None = None
    claims: tuple[Claim, ...] | None = None
    broker_state: str | None = None
    queues: tuple[Queue, ...] | None = None
    nodes: tuple[Node, ...] | None = None
    broker: BrokerView | None = None
    lead_log: tuple[str, ...] | None = None
    worker_log: tuple[str, ...] | None = None
    operator_log: tuple[str, ...] | None = None
    asked: float | None = None

    def unseen(self) -> frozenset[Source]:
        """What could not be read."""
        broker = self.broker or BrokerView()
        missing = {
            Source.JOB: not self.may_list,
            Source.PODS: not self.may_list,
            Source.EVENTS: self.events is None,
            Source.CLAIMS: self.claims is None,
            Source.QUEUES: self.queues is None,
            Source.NODES: self.nodes is None,
            Source.CHECKPOINTS: broker.checkpoint_period is None,
            Source.ACCESS: broker.private is None,
            Source.ANSWERS: broker.torpid is None,
            Source.STATE_DIR: None in (broker.state_used, broker.state_free),
            Source.PUT_ASIDE: broker.lost_and_found is None,
            Source.JOB_IDS: None in (broker.greatest_id_seen, broker.next_id),
            Source.LEAD_LOG: self.lead_log is None,
            Source.WORKER_LOG: self.worker_log is None,
            Source.OPERATOR_LOG: self.operator_log is None,
        }
        return frozenset(source for source, is_missing in missing.items() if is_missing)

    @property
    def age(self) -> float:
        """Seconds since the MiniCluster was created."""
        return self.now - self.minicluster.created

    def told(self, *reasons: str, uid: str = "") -> tuple[KubeEvent, ...]:
        """Events of these reasons (about that object), newest first."""
        found = (
            event
            for event in self.events or ()
            if event.reason in reasons and uid in ("", event.object_uid)
        )
        return tuple(sorted(found, key=lambda event: -event.last_seen))


def quote_event(event: KubeEvent) -> Quote:
    """An event as evidence."""
    return Quote(
        event.message, Source.EVENTS, f"{event.kind.lower()}/{event.name}", event.last_seen
    )
