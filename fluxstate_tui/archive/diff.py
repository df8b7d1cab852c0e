"""What differs between two sets of jobs: two archives, or an archive and the live queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec

from fluxstate_tui.archive.by_id import sorted_by_id
from fluxstate_tui.model.job import Job
from fluxstate_tui.model.steps import stretches

_FIELDS = tuple(name for name in Job.__struct_fields__ if name not in ("id", "annotations"))


class FieldChange(msgspec.Struct, frozen=True, gc=False):
    """One field of a job: its name, what it was, what it is."""

    name: str
    before: Any
    after: Any


class JobChange(msgspec.Struct, frozen=True, gc=False):
    """A job that is in both, but not the same."""

    before: Job
    after: Job
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class Diff:
    """All jobs of both sides, in the order of their ids."""

    only_a: list[Job]
    only_b: list[Job]
    changed: list[JobChange]
    unchanged: list[Job]

    @property
    def equal(self) -> bool:
        """Both sides have the same jobs."""
        return not (self.only_a or self.only_b or self.changed)


def diff(a: Iterable[Job], b: Iterable[Job], go_on: Callable[[], None] = lambda: None) -> Diff:
    """Compare job by job. The scheduler's annotations are left out: no restart keeps them.

    `go_on` is called now and then and may raise, when nobody waits for it any more.
    """
    found = Diff([], [], [], [])
    for some in stretches(_joined(_ascending(a), _ascending(b))):
        go_on()
        for before, after in some:
            _take(found, before, after)
    return found


def _take(found: Diff, before: Job | None, after: Job | None) -> None:
    if before is None or after is None:
        if before is not None:
            found.only_a.append(before)
        if after is not None:
            found.only_b.append(after)
    elif before == after or not (changes := _changes(before, after)):
        found.unchanged.append(after)
    else:
        found.changed.append(JobChange(before, after, changes))


def _ascending(jobs: Iterable[Job]) -> Iterator[Job]:
    """In the order of their ids, as those of an archive are already."""
    listed = list(jobs)
    if all(one.id < two.id for one, two in pairwise(listed)):
        return iter(listed)
    return iter(sorted_by_id((job.id, job) for job in listed).values())


def _joined(a: Iterator[Job], b: Iterator[Job]) -> Iterator[tuple[Job | None, Job | None]]:
    """Both, side by side."""
    before, after = next(a, None), next(b, None)
    while before is not None or after is not None:
        if after is None or (before is not None and before.id < after.id):
            yield before, None
            before = next(a, None)
        elif before is None or after.id < before.id:
            yield None, after
            after = next(b, None)
        else:
            yield before, after
            before, after = next(a, None), next(b, None)


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
