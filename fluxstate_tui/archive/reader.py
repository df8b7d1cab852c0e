"""Reading `flux dump` archives without Flux (0.61 to 0.88: ARCHITECTURE.md#F8).

One pass over the members: a job is folded as soon as its three files are there, and only the Job
and two numbers per job are kept. Eventlog, jobspec, R and output are read again when asked for.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from fluxstate_tui.archive import details, names
from fluxstate_tui.archive.builder import JobFolder
from fluxstate_tui.archive.container import Members, open_members
from fluxstate_tui.archive.details import DetailReader, OutputChunk
from fluxstate_tui.archive.findings import BrokenArchiveError, Finding, Findings, Kind
from fluxstate_tui.archive.instance import Instance
from fluxstate_tui.archive.job_map import hide, without_collector
from fluxstate_tui.archive.progress import ReadingCancelledError
from fluxstate_tui.archive.source import BLOCK, Source
from fluxstate_tui.archive.tar import FILE, Member
from fluxstate_tui.chunked import clear_in_chunks, in_order
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux import eventlog as eventlogs
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.job import Job
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.flux.loader import Effect, Refusal, strange_directory
from fluxstate_tui.flux.queue import Queue
from fluxstate_tui.flux.resources import ResourceSet
from fluxstate_tui.flux.scheduler import Request, request_of_job
from fluxstate_tui.formatting import plural

# The thorough pass over jobs' output and execution logs: they must be eventlogs (RFC 18).


def check_value(name: str, data: bytes, findings: Findings) -> None:
    """Note a finding when an eventlog of a job's tasks cannot be read."""
    try:
        eventlogs.parse(data)
    except ValueError as error:
        findings.add(Kind.DAMAGED, name, f"not an eventlog ({error})")


# From members to jobs: files are gathered per job, and a job is made as soon as it is complete.
#
# flux-dump up to 0.75 writes a job's files together; 0.88 walks breadth-first, so that `guest/*`
# comes much later. Any order is read; only an unnatural one needs more memory.

_MAX_LOST = 1000
# What is kept of jobs whose files lie apart, each file with what a small object costs.
MOST_APART = 128 << 20
_OBJECT = 256
MOST_JOBS = 1 << 21
# Jobs by id lie in so many dicts: each grows in a step of its own, and none is a long one. Flux's
# ids are multiples of large powers of two, so it is a prime.
_SHARES = 251

_Files = dict[str, bytes]


class Assembly:
    """One reading of an archive. After `run` (and `finish`, always) the results are complete."""

    def __init__(self, members: Members, findings: Findings, *, thorough: bool) -> None:
        self._members = members
        self._findings = findings
        self._thorough = thorough
        self._jobs = JobFolder(findings)
        self._fold, self.requests = self._jobs.fold, self._jobs.requests
        self._strays: set[int] = set()
        self._strange: set[str] = set()
        self._pending: dict[int, _Files] = {}
        self._apart = 0
        self._given_up: set[int] = set()
        self._surplus: set[int] = set()
        self._done: tuple[dict[int, Job], ...] = tuple({} for _ in range(_SHARES))
        self._ids: list[int] = []
        self._folder = ""
        self._job_id = -1
        self._files: _Files = {}
        self._missing = Kind.DAMAGED
        self._flux = False
        self.details = DetailReader(members)
        self.instance = Instance(findings)
        self.jobs: list[Job] = []
        self.partial: set[int] = set()
        self.lost: set[str] = set()
        self.entries = 0
        self.newest = 0

    def run(self) -> None:
        """Read all members. Raises BrokenArchiveError where it must stop."""
        wanted = names.everything_but_secrets if self._thorough else names.core_wanted
        entries = newest = 0
        try:
            for member in self._members.scan(wanted, self._findings):
                entries += 1
                if member.mtime > newest:
                    newest = member.mtime
                file, data = member.file, member.data
                known = file in names.JOB_FILES and member.kind == FILE
                if not known or not (member.folder == self._folder or self._enter(member)):
                    self._take_other(member)
                elif data is not None and file in names.CORE_FILES and file not in self._files:
                    self._files[file] = data
                else:
                    self._take_special(file, member)
        finally:
            self.entries, self.newest = entries, newest

    def cut_short(self, kind: Kind) -> None:
        """Reading ended too early: what is missing is missing because of that."""
        self._missing = kind

    def finish(self) -> None:
        """Make what jobs can be made of files that stayed incomplete, and put all in order."""
        self._close()
        for job_id, files in self._pending.items():
            self._tell_missing(job_id, files)
            if names.EVENTLOG in files:
                self._make(job_id, files)
                self.partial.add(job_id)
        for job_id in sorted(self._strays | set(self.details.ids())):
            if job_id not in self._pending and not self._is_known(job_id):
                self._tell_missing(job_id, {})
        for jobs, why in (
            (self._given_up, f"their files lie apart, over {MOST_APART:,} bytes of them"),
            (self._surplus, f"it has more than {MOST_JOBS:,}"),
        ):
            if jobs:
                message = f"{plural(len(jobs), 'job')} not read: {why}"
                self._findings.add(Kind.HOSTILE, "", message)
        self._pending.clear()
        self._put_in_order()
        if self.entries and not (self.jobs or self.partial or self._flux):
            self._refuse_foreign()

    def _is_known(self, job_id: int) -> bool:
        """It was made, or its files were not kept."""
        done = self._done[job_id % _SHARES]
        return job_id in done or job_id in self._given_up or job_id in self._surplus

    def _tell_missing(self, job_id: int, files: _Files) -> None:
        """Flux gives up a job that has no eventlog or no jobspec."""
        for name in (names.EVENTLOG, names.JOBSPEC):
            if name in files:
                continue
            message = f"its {name} is missing"
            if self._missing is Kind.DAMAGED and job_id not in self.refused:
                self._jobs.refuse(job_id, Refusal(Effect.LOST, "", message))
            else:
                self._findings.add(self._missing, f"job {f58(job_id)}", message)

    @property
    def refused(self) -> dict[int, Refusal]:
        """What Flux's loader would not take as it is, by id, a directory without a job too."""
        return self._jobs.refused

    def _put_in_order(self) -> None:
        ids = in_order(self._ids)
        self.jobs = [self._done[job_id % _SHARES][job_id] for job_id in ids]
        for share in self._done:
            share.clear()
        clear_in_chunks(self._ids)
        clear_in_chunks(ids)

    def _enter(self, member: Member) -> bool:
        """Begin the run of another job's files; False if this is no job's directory."""
        job_id = names.job_id(member.folder)
        if job_id is None:
            return False
        self._close()
        self._folder, self._job_id = member.folder, job_id
        self._files = self._pending.pop(job_id, {})
        self._apart -= _size(self._files)
        self.details.add_run(job_id, member.offset)
        return True

    def _take_other(self, member: Member) -> None:
        """Anything but a known file of a job; a run of files goes on over it."""
        name = member.name
        finding = names.hostile(member)
        if finding is not None:
            self._findings.note(finding)
        elif name in names.INSTANCE_FILES and member.data is not None:
            self._flux |= self.instance.take(name, member.data)
        elif name == names.RESOURCE_EVENTLOG:
            self._flux = True
        elif name.startswith(names.LOST_AND_FOUND) and len(self.lost) < _MAX_LOST:
            self.lost.add("/".join(name.split("/")[:3]))
        elif name == names.JOBS or name.startswith(f"{names.JOBS}/"):
            self._take_stray(member)

    def _take_stray(self, member: Member) -> None:
        """A member below `job` that is no known file of a job."""
        job_id = names.job_id(member.folder)
        if job_id is not None:
            self._strays.add(job_id)
            return
        path = [part for part in member.name.split("/")[1:-1] if part]
        if member.name == names.JOBS:
            refusal: Refusal | None = Refusal(Effect.NO_START, "", "it is not a directory")
        else:
            refusal = strange_directory(path)
        place = "/".join([names.JOBS, *path[:4]])
        if refusal is not None and place not in self._strange and len(self._strange) < _MAX_LOST:
            self._strange.add(place)
            self._findings.refuse(place, refusal)

    def _take_special(self, file: str, member: Member) -> None:
        """A job's file that is there twice or too large, or is not needed for the Job.

        The signed jobspec has no data here, ever.
        """
        if file in names.GUEST_FILES:
            if self._thorough and member.data is not None:
                check_value(member.name, member.data, self._findings)
            return
        if file in self._files:
            self._findings.add(Kind.DAMAGED, member.name, "it is there twice")
        self._files[file] = member.data or b""
        if member.data is None and file != names.SIGNED_JOBSPEC:
            self._findings.add(Kind.DAMAGED, member.name, "it is far too large")

    def _close(self) -> None:
        """The run of a job's files ended: make the job if nothing is missing."""
        files = self._files
        if not files:
            return
        self._files = {}
        if self._job_id in self._given_up or self._job_id in self._surplus:
            return
        if self._job_id in self._done[self._job_id % _SHARES]:
            message = "it is there twice, or far from its job"
            for file in files:
                self._findings.add(Kind.DAMAGED, self._folder + file, message)
        elif _ready(files):
            self._make(self._job_id, files)
        elif self._apart + _size(files) > MOST_APART:
            self._given_up.add(self._job_id)
        else:
            self._apart += _size(files)
            self._pending[self._job_id] = files

    def _make(self, job_id: int, files: _Files) -> None:
        if len(self._ids) >= MOST_JOBS:
            self._surplus.add(job_id)
            return
        before = self._findings.total
        self._ids.append(job_id)
        self._done[job_id % _SHARES][job_id] = self._fold(
            job_id, files[names.EVENTLOG], files.get(names.JOBSPEC), files.get(names.R)
        )
        if self._findings.total != before:
            self.partial.add(job_id)

    def _refuse_foreign(self) -> None:
        message = (
            "it is an archive, but flux dump did not write it: no jobs, no admin/, no resource/"
        )
        self._findings.add(Kind.NOT_AN_ARCHIVE, "", message)


def _size(files: _Files) -> int:
    return sum(map(len, files.values())) + len(files) * _OBJECT


def _ready(files: _Files) -> bool:
    """Eventlog and jobspec are there, and R if the job ever got an allocation."""
    if names.EVENTLOG not in files or names.JOBSPEC not in files:
        return False
    return names.R in files or b'"alloc"' not in files[names.EVENTLOG]


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
    `requests` are those of waiting jobs that say more than the Job does. `refused` are those
    that Flux's loader would not take as they are.
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
    requests: Mapping[int, Request] = field(default_factory=dict)
    refused: Mapping[int, Refusal] = field(default_factory=dict)

    def request(self, job: Job) -> Request:
        """What a waiting job asks of the scheduler."""
        return self.requests.get(job.id) or request_of_job(job)

    def job(self, job_id: int) -> ArchivedJob | None:
        """One job by its id. Jobs are in the order of their ids."""
        at = bisect_left(self.jobs, job_id, key=lambda one: one.job.id)
        found = self.jobs[at] if at < len(self.jobs) else None
        return found if found is not None and found.job.id == job_id else None

    @property
    def complete(self) -> bool:
        """Nothing is wrong with it."""
        return not self.findings

    def refuse_foreign(self, name: str) -> None:
        """Raise FluxstateError for what is no archive: else it would pass as one without jobs."""
        for finding in self.findings:
            if finding.kind is Kind.NOT_AN_ARCHIVE:
                raise FluxstateError(
                    f"{name} is no archive of flux dump: {finding.message}.",
                    safe="Nothing was changed.",
                    advice="Name a file that `flux dump` wrote (.tar, .tar.gz, .tar.xz, .zip ...).",
                )

    @property
    def lost(self) -> frozenset[int]:
        """The jobs that a restore would lose, though it succeeds."""
        return frozenset(id for id, one in self.refused.items() if one.effect is Effect.LOST)


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
        return Archive(
            jobs=[],
            queues=None,
            max_jobid=None,
            resources=None,
            core_version="",
            starts=(),
            size=source.size,
            sha256=sha256,
            entries=0,
            findings=findings.all(),
        )
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
        requests=assembly.requests,
        refused=assembly.refused,
    )
