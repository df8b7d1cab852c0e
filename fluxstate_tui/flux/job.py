"""One Flux job, with the fields and names of `flux jobs --json` (flux-core 0.88)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import msgspec


class JobState(IntEnum):
    """Job states as flux-core numbers them (RFC 21; `job-list` RPC)."""

    NEW = 1
    DEPEND = 2
    PRIORITY = 4
    SCHED = 8
    RUN = 16
    CLEANUP = 32
    INACTIVE = 64

    @property
    def pending(self) -> bool:
        """Waiting for a dependency, a priority or resources."""
        return self <= JobState.SCHED

    @property
    def running(self) -> bool:
        """Holding resources."""
        return self in (JobState.RUN, JobState.CLEANUP)


class JobResult(IntEnum):
    """How an inactive job ended, as flux-core numbers it."""

    COMPLETED = 1
    FAILED = 2
    CANCELED = 4
    TIMEOUT = 8


@dataclass(frozen=True, slots=True)
class JobException:
    """The exception that decided over a job: lowest severity wins, then the first (RFC 21)."""

    type: str
    severity: int
    note: str


class Job(msgspec.Struct, frozen=True, gc=False):
    """One job. Times are seconds since the epoch by the cluster's clock; None = not reached yet.

    `duration` is the time limit in seconds (0 = none). `ranks`, `nodelist` and `expiration`
    exist only after an allocation; `nnodes` may be None before it.

    A msgspec Struct because there may be a million: made 10 times as fast as a frozen dataclass,
    and the garbage collector never walks over them. `msgspec.structs.replace` makes changed ones.
    """

    id: int
    userid: int
    state: JobState
    name: str = ""
    urgency: int = 16
    priority: int | None = None
    cwd: str = ""
    queue: str = ""
    project: str = ""
    bank: str = ""
    ntasks: int | None = None
    ncores: int | None = None
    nnodes: int | None = None
    duration: float = 0.0
    ranks: str = ""
    nodelist: str = ""
    expiration: float | None = None
    t_submit: float = 0.0
    t_depend: float | None = None
    t_priority: float | None = None
    t_sched: float | None = None
    t_run: float | None = None
    t_cleanup: float | None = None
    t_inactive: float | None = None
    result: JobResult | None = None
    waitstatus: int | None = None
    exception: JobException | None = None
    dependencies: tuple[str, ...] = ()
    annotations: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def status(self) -> str:
        """The result when inactive, else the state: what `flux jobs` prints as `status`."""
        if self.state is JobState.INACTIVE and self.result is not None:
            return self.result.name
        return self.state.name

    def runtime(self, now: float) -> float | None:
        """Seconds it has run (until `now` by the cluster's clock), or None before it ran."""
        if self.t_run is None:
            return None
        return max(0.0, (self.t_cleanup if self.t_cleanup is not None else now) - self.t_run)
