"""A pod of a MiniCluster, reduced to what decides the MiniCluster's state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Termination:
    """How a container ended (epoch seconds). A reason counts more than the exit code."""

    reason: str
    exit_code: int | None
    signal: int | None = None
    at: float | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class ContainerState:
    """One container. `state` is waiting, running or terminated; `reason` is the kubelet's word.

    `ended` is how it ended last: now if it is terminated, else before its last restart.
    """

    name: str
    state: str
    ready: bool = False
    restarts: int = 0
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    ended: Termination | None = None


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod. `index` is the completion index (0 = lead broker), None for helper pods.

    `owner_uid` and `owner_name` are its controller's: the Job's, or for a services pod the
    MiniCluster's. `cluster_uid` is the uid of the MiniCluster as found over that Job, '' as long as
    the Job is not known. Times are seconds since the epoch by the API server's clock. `raw` is the
    whole object, of a lead only: it says how its broker is reached. `disruption` is the reason of
    its DisruptionTarget condition, `gone_for` why the kubelet gave it up (Evicted: ...).
    """

    uid: str
    namespace: str
    name: str
    owner_uid: str
    owner_name: str
    index: int | None
    phase: str
    node: str
    created: float
    deleting_since: float | None = None
    init: tuple[ContainerState, ...] = ()
    containers: tuple[ContainerState, ...] = ()
    unschedulable: str = ""
    cluster_uid: str = ""
    raw: dict[str, Any] | None = field(default=None, compare=False, repr=False)
    gated: bool = False
    disruption: str = ""
    gone_for: str = ""

    @property
    def restarts(self) -> int:
        """Restarts of all its containers together."""
        return sum(container.restarts for container in self.containers)


# The Kubernetes objects around a MiniCluster, reduced to what decides or explains its state.


@dataclass(frozen=True, slots=True)
class KubeJob:
    """The Indexed Job (batch/v1) of a MiniCluster. `owner_uid` is the MiniCluster's uid."""

    uid: str
    namespace: str
    name: str
    owner_uid: str
    parallelism: int
    active: int
    succeeded: int
    failed: int
    complete: bool = False
    failure: str = ""


@dataclass(frozen=True, slots=True)
class KubeEvent:
    """A core/v1 Event: what happened to which object, how often, and when last (epoch seconds)."""

    uid: str
    namespace: str
    kind: str
    name: str
    object_uid: str
    type: str
    reason: str
    message: str
    count: int
    last_seen: float


# Reading objects that somebody else wrote: a field of the wrong shape is as good as none.


def as_map(value: object) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_maps(value: object) -> list[Mapping[str, Any]]:
    """The mappings of a list; an empty list if it is none."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def as_whole(value: object) -> int | None:
    """The value if it is a whole number, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
