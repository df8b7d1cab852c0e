"""Reading `flux dump` archives without Flux (facts/flux.md, section c; flux-core 0.61 to 0.88).

One pass over the members: a job is folded as soon as its three files are there, and only the Job
and two numbers per job are kept. Eventlog, jobspec, R and output are read again when asked for.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fluxstate_tui.archive import details, names
from fluxstate_tui.archive.assembly import Assembly
from fluxstate_tui.archive.cancelled import ReadingCancelledError
from fluxstate_tui.archive.collecting import hide, without_collector
from fluxstate_tui.archive.details import DetailReader, OutputChunk
from fluxstate_tui.archive.findings import BrokenArchiveError, Finding, Findings, Kind
from fluxstate_tui.archive.members import open_members
from fluxstate_tui.archive.source import BLOCK, Source
from fluxstate_tui.model.event import Event
from fluxstate_tui.model.job import Job
from fluxstate_tui.model.queue import Queue
from fluxstate_tui.model.resources import ResourceSet

Progress = Callable[[int, int], None]
Cancelled = Callable[[], bool]


class ArchivedJob(msgspec.Struct, frozen=True, gc=False):
    """A job with all that the archive holds about it. `partial` says that something was broken."""

    job: Job
    partial: bool
    _details: DetailReader

    @property
    def eventlog(self) -> tuple[Event, ...]:
        """The job's events; lines that cannot be read are left out."""
        return details.events(self._file(names.EVENTLOG))

    @property
    def jobspec(self) -> dict[str, Any]:
        """The jobspec as submitted, without the environment; {} if it cannot be read."""
        return details.without_environment(details.decoded(self._file(names.JOBSPEC)) or {})

    @property
    def R(self) -> dict[str, Any] | None:  # noqa: N802 - Flux's own name for it (RFC 20)
        """The allocation, None if the job never had one."""
        return details.decoded(self._file(names.R))

    @property
    def exec_log(self) -> tuple[Event, ...]:
        """What the job shells reported; only of finished jobs."""
        return details.events(self._file(names.EXEC_LOG))

    def output(self) -> list[OutputChunk]:
        """What the tasks wrote; only of finished jobs."""
        return details.output(self._file(names.OUTPUT))

    def _file(self, name: str) -> bytes | None:
        return self._details.files(self.job.id).get(name)


@dataclass(frozen=True, slots=True)
class Archive:
    """A whole archive. `queues` is None when it holds no checkpoint: a restore starts them then.

    `dumped_at` is when the dump began (whole seconds since the epoch, 0 if unknown); `plain_size`
    is the size of the unpacked stream; `lost_and_found` counts jobs that Flux itself had given up.
    """

    jobs: list[ArchivedJob]
    queues: tuple[Queue, ...] | None
    max_jobid: int | None
    resources: ResourceSet | None
    core_version: str
    starts: tuple[Event, ...]
    size: int
    sha256: str
    entries: int
    findings: tuple[Finding, ...]
    dumped_at: float = 0.0
    lost_and_found: int = 0

    def job(self, job_id: int) -> ArchivedJob | None:
        """One job by its id. Jobs are in the order of their ids."""
        at = bisect_left(self.jobs, job_id, key=lambda one: one.job.id)
        found = self.jobs[at] if at < len(self.jobs) else None
        return found if found is not None and found.job.id == job_id else None

    @property
    def complete(self) -> bool:
        """Nothing is wrong with it."""
        return not self.findings


def read_archive(
    source: Path | bytes,
    *,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    thorough: bool = False,
) -> Archive:
    """Read an archive. What is wrong with it is in `findings`; what could be read is in `jobs`.

    `progress(done, total)` gets bytes of the file; when `cancelled()` says so, reading ends with
    ReadingCancelledError. `thorough` also looks into every job's output and execution log.
    Raises FluxstateError only when the file cannot be opened.
    """
    opened = _Watched(Source(source), progress, cancelled)
    findings = Findings()
    if opened.size == 0:
        findings.add(Kind.ZERO_BYTES, "", "the file has 0 bytes; Flux would start EMPTY from it")
        return _archive(opened, None, findings)
    with without_collector():
        assembly = _assembled(opened, findings, thorough=thorough)
        archive = _archive(opened, assembly, findings)
        hide(len(archive.jobs))
        return archive


def _assembled(source: Source, findings: Findings, *, thorough: bool) -> Assembly | None:
    """All members as jobs, as far as they can be read; None if it is no archive."""
    assembly: Assembly | None = None
    try:
        members = open_members(source)
        assembly = Assembly(members, findings, thorough=thorough)
        assembly.run()
    except BrokenArchiveError as error:
        findings.note(error.finding)
        if assembly is not None:
            assembly.cut_short(error.finding.kind)
    if assembly is not None:
        assembly.finish()
    return assembly


class _Watched(Source):
    """A source that reports its progress and computes the checksum on the way."""

    def __init__(
        self, source: Source, progress: Progress | None, cancelled: Cancelled | None
    ) -> None:
        self.__dict__.update(source.__dict__)
        self._progress = progress
        self._cancelled = cancelled
        self._hash = hashlib.sha256()
        self._hashed = 0

    def blocks(self, start: int = 0, size: int = BLOCK) -> Iterator[bytes]:
        """The blocks; the first time that each is read it counts."""
        at = start
        for block in super().blocks(start, size):
            if at <= self._hashed < at + len(block):
                self._hash.update(block[self._hashed - at :])
                self._hashed = at + len(block)
            at += len(block)
            self._report(at)
            yield block

    def sha256(self) -> str:
        """The checksum of the whole file, reading what was not read yet."""
        for _ in self.blocks(self._hashed):
            pass
        return self._hash.hexdigest()

    def _report(self, done: int) -> None:
        if self._cancelled is not None and self._cancelled():
            raise ReadingCancelledError("Reading the archive was cancelled.")
        if self._progress is not None:
            self._progress(done, self.size)


def _archive(source: _Watched, assembly: Assembly | None, findings: Findings) -> Archive:
    sha256 = source.sha256()
    if assembly is None:
        return Archive([], None, None, None, "", (), source.size, sha256, 0, findings.all())
    jobs = [ArchivedJob(job, job.id in assembly.partial, assembly.details) for job in assembly.jobs]
    return Archive(
        jobs=jobs,
        queues=assembly.instance.queues,
        max_jobid=assembly.instance.max_jobid,
        resources=assembly.instance.resources,
        core_version=assembly.instance.core_version,
        starts=assembly.instance.starts,
        size=source.size,
        sha256=sha256,
        entries=assembly.entries,
        findings=findings.all(),
        dumped_at=float(assembly.newest),
        lost_and_found=len(assembly.lost),
    )
