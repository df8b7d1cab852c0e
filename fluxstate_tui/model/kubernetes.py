"""The Kubernetes objects around a MiniCluster, reduced to what decides or explains its state."""

from __future__ import annotations

from dataclasses import dataclass


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
