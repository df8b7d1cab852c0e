"""A MiniCluster as the API server stores it, reduced to the fields that we use."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from fluxstate_tui.model.reference import ClusterRef


class Phase(Enum):
    """The derived state of a MiniCluster (facts/operator.md, section 2): never the conditions."""

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
