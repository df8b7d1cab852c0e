"""What differs between two sets of jobs: two archives, or an archive and the live queue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fluxstate_tui.model.job import Job

_FIELDS = tuple(name for name in Job.__struct_fields__ if name not in ("id", "annotations"))


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a job: its name, what it was, what it is."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class JobChange:
    """A job that is in both, but not the same."""

    before: Job
    after: Job
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class Diff:
    """All jobs of both sides, in the order of their ids."""

    only_a: tuple[Job, ...]
    only_b: tuple[Job, ...]
    changed: tuple[JobChange, ...]
    unchanged: tuple[Job, ...]

    @property
    def equal(self) -> bool:
        """Both sides have the same jobs."""
        return not (self.only_a or self.only_b or self.changed)


def diff(a: Iterable[Job], b: Iterable[Job]) -> Diff:
    """Compare job by job. The scheduler's annotations are left out: no restart keeps them."""
    before = {job.id: job for job in a}
    after = {job.id: job for job in b}
    changed, unchanged = [], []
    for job_id in sorted(before.keys() & after.keys()):
        changes = _changes(before[job_id], after[job_id])
        if changes:
            changed.append(JobChange(before[job_id], after[job_id], changes))
        else:
            unchanged.append(after[job_id])
    return Diff(
        only_a=tuple(before[job_id] for job_id in sorted(before.keys() - after.keys())),
        only_b=tuple(after[job_id] for job_id in sorted(after.keys() - before.keys())),
        changed=tuple(changed),
        unchanged=tuple(unchanged),
    )


def _changes(before: Job, after: Job) -> tuple[FieldChange, ...]:
    found = [
        FieldChange(name, getattr(before, name), getattr(after, name))
        for name in _FIELDS
        if getattr(before, name) != getattr(after, name) and not _unknown(name, before, after)
    ]
    memos = before.annotations.get("user"), after.annotations.get("user")
    if memos[0] != memos[1]:
        found.append(FieldChange("annotations.user", *memos))
    return tuple(found)


def _unknown(name: str, before: Job, after: Job) -> bool:
    """`flux jobs` before 0.88 does not tell these times: a missing one is no change."""
    return name in ("t_priority", "t_sched") and None in (
        getattr(before, name),
        getattr(after, name),
    )
