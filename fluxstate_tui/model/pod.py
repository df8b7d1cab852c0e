"""A pod of a MiniCluster, reduced to what decides the MiniCluster's state."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ContainerState:
    """One container. `state` is waiting, running or terminated; `reason` is the kubelet's word."""

    name: str
    state: str
    ready: bool = False
    restarts: int = 0
    reason: str = ""
    message: str = ""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod. `index` is the completion index (0 = lead broker), None for helper pods.

    `owner_uid` and `owner_name` are its controller's: the Job's, or for a services pod the
    MiniCluster's. `cluster_uid` is the uid of the MiniCluster as found over that Job, '' as long as
    the Job is not known. Times are seconds since the epoch by the API server's clock.
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

    @property
    def restarts(self) -> int:
        """Restarts of all its containers together."""
        return sum(container.restarts for container in self.containers)
