"""Jobs counted in groups: by state, user, queue or name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxstate_tui.live.picture import JobCounts

if TYPE_CHECKING:
    from fluxstate_tui.flux.job import Job


@dataclass(frozen=True, slots=True)
class Group:
    """The jobs that share a value, counted."""

    name: str
    counts: JobCounts

    @property
    def total(self) -> int:
        """All of its jobs whose state is known."""
        counts = self.counts
        return counts.pending + counts.running + counts.done + counts.failed


def group_jobs(jobs: Iterable[Job], value: Callable[[Job], str]) -> dict[str, Group]:
    """Groups by name. Looks at every job: for one look a second, not for every change."""
    groups: dict[str, Group] = {}
    for job in jobs:
        name = value(job)
        group = groups.get(name)
        if group is None:
            group = groups[name] = Group(name, JobCounts())
        group.counts.add(job)
    return groups
