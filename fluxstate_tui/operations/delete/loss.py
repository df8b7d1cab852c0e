"""What would be gone if a MiniCluster was deleted now: its live queue against an archive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fluxstate_tui.model.job import Job, JobState
from fluxstate_tui.operations.world.observation import describe


@dataclass(frozen=True, slots=True)
class Loss:
    """Live jobs that the archive does not have as they are now.

    `missing` are in no archive; `again` ran or finished since, so that a restore would run them
    once more (or fail them) and their results would be gone; `changed` are pending with another
    urgency, time limit or memo than the archived ones.
    """

    missing: tuple[Job, ...] = ()
    again: tuple[Job, ...] = ()
    changed: tuple[Job, ...] = ()

    @property
    def nothing(self) -> bool:
        """True when the archive has every job as it is now."""
        return not (self.missing or self.again or self.changed)

    @property
    def ids(self) -> frozenset[int]:
        """All jobs that are affected."""
        return frozenset(job.id for job in (*self.missing, *self.again, *self.changed))

    def explain(self) -> tuple[str, ...]:
        """One line per kind of loss, by state."""
        lines = []
        if self.missing:
            lines.append(f"LOST, in no archive: {describe(self.missing)}")
        if self.again:
            lines.append(f"LOST result, would run again or fail: {describe(self.again)}")
        if self.changed:
            lines.append(f"LOST change (urgency, memo, ...): {describe(self.changed)}")
        return tuple(lines)


def loss(live: Iterable[Job], saved: Iterable[Job]) -> Loss:
    """Compare the live jobs with those of an archive of the same MiniCluster (same uid)."""
    archived = {job.id: job for job in saved}
    missing: list[Job] = []
    again: list[Job] = []
    changed: list[Job] = []
    for job in live:
        there = archived.get(job.id)
        if there is None:
            missing.append(job)
        elif there.state.running:
            # Jobs that run at the time of a dump come back FAILED (facts/flux.md, 5).
            again.append(job)
        elif job.status != there.status:
            # DEPEND, PRIORITY and SCHED are all "waiting": going between them loses nothing.
            if not (job.state.pending and there.state.pending):
                again.append(job)
        elif job.state is not JobState.INACTIVE and _settings(job) != _settings(there):
            changed.append(job)
    return Loss(tuple(missing), tuple(again), tuple(changed))


def _settings(job: Job) -> tuple[object, ...]:
    return (job.urgency, job.duration, job.annotations.get("user") or {})
