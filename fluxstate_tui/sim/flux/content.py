"""The content of the KVS at one moment, and its order in an archive (ARCHITECTURE.md#F9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fluxstate_tui.archive.container import Entry
from fluxstate_tui.flux.jobid import dothex

INLINE_LIMIT = 64
"""Values up to this size sit inside the KVS directory object: dumped first, without a time."""


@dataclass(frozen=True, slots=True)
class JobContent:
    """What the KVS holds of one job. `guest` is None while it runs (its own namespace)."""

    id: int
    jobspec: bytes
    eventlog: bytes
    signed: bytes
    resources: bytes | None
    guest: Mapping[str, bytes] | None

    @property
    def folder(self) -> str:
        """The archive's folder of this job."""
        return "job/" + dothex(self.id).replace(".", "/")

    def values(self) -> Iterator[tuple[str, bytes]]:
        """The values directly in its folder, in Flux's order."""
        yield "J", self.signed
        if self.resources is not None:
            yield "R", self.resources
        yield "eventlog", self.eventlog
        yield "jobspec", self.jobspec


@dataclass(frozen=True, slots=True)
class Content:
    """Everything: keys outside of `job.` (with dots), and the jobs by id."""

    keys: Mapping[str, bytes] = field(default_factory=dict)
    jobs: Mapping[int, JobContent] = field(default_factory=dict)

    def entries(self, when: float) -> Iterator[Entry]:
        """The archive's entries as flux-core 0.88 dumps them: breadth first, links before values.

        `when` is the time of the dump in seconds since the epoch.
        """
        mtime = int(when)
        yield from self._plain_keys(mtime)
        ordered = [self.jobs[job_id] for job_id in sorted(self.jobs)]
        for job in ordered:
            if job.guest is None and job.resources is not None:
                yield Entry(f"{job.folder}/guest", link=f"job-{job.id}::.")
        for job in ordered:
            for name, value in job.values():
                yield Entry(f"{job.folder}/{name}", value, mtime=mtime)
        yield from _guests(ordered, mtime)

    def _plain_keys(self, mtime: int) -> Iterator[Entry]:
        names = sorted(self.keys, key=lambda name: (name.count("."), name))
        for inline in (True, False):
            for name in names:
                value = self.keys[name]
                if (len(value) <= INLINE_LIMIT) is inline:
                    stamp = 0 if inline else mtime
                    yield Entry(name.replace(".", "/"), value, mtime=stamp)


def _guests(jobs: list[JobContent], mtime: int) -> Iterator[Entry]:
    for depth in (0, 1):
        for job in jobs:
            for name in sorted(job.guest or ()):
                if name.count("/") == depth and job.guest is not None:
                    yield Entry(f"{job.folder}/guest/{name}", job.guest[name], mtime=mtime)
