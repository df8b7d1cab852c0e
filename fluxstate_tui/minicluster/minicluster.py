"""A MiniCluster as the API server stores it, reduced to the fields that we use."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

# How one MiniCluster is named, so that two of the same name are never mixed up.


@dataclass(frozen=True, slots=True)
class ClusterRef:
    """A MiniCluster by namespace, name and uid. Another uid is another MiniCluster."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Phase(Enum):
    """The derived state of a MiniCluster (ARCHITECTURE.md#F57): never conditions."""

    INVALID = "Invalid"
    REJECTED = "Rejected"
    BLOCKED = "Blocked"
    SCHEDULING = "Scheduling"
    INIT = "Init"
    STARTING = "Starting"
    QUORUM = "Quorum"
    UP = "Up"
    PAUSED = "Paused"
    DEGRADED = "Degraded"
    DEAD = "Dead"
    FINISHED = "Finished"
    FAILED = "Failed"
    DELETING = "Deleting"
    UNKNOWN = "Unknown"
    READING = "Reading"


@dataclass(frozen=True, slots=True)
class Derived:
    """A phase with one sentence why, and the evidence that it was derived from."""

    phase: Phase
    reason: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MiniCluster:
    """One MiniCluster. `raw` is the whole object without managedFields, to create it again."""

    ref: ClusterRef
    api_version: str
    resource_version: str
    size: int
    max_size: int | None
    min_size: int | None
    interactive: bool
    archive_path: str
    created: float
    deleting_since: float | None
    conditions: dict[str, bool] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)
