"""From members to jobs: files are gathered per job, and a job is made as soon as it is complete.

flux-dump up to 0.75 writes a job's files together; 0.88 walks breadth-first, so that `guest/*`
comes much later. Any order is read; only an unnatural one needs more memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from fluxstate_tui.archive import names
from fluxstate_tui.archive.details import DetailReader
from fluxstate_tui.archive.findings import Findings, Kind
from fluxstate_tui.archive.fold import JobFolder
from fluxstate_tui.archive.instance import Instance
from fluxstate_tui.archive.members import Members
from fluxstate_tui.archive.tar import FILE, SYMLINK, Member
from fluxstate_tui.archive.thorough import check_value
from fluxstate_tui.model.job import Job
from fluxstate_tui.model.jobid import f58

_MAX_LOST = 1000


@dataclass(slots=True)
class _Files:
    """The files of a job that is not complete yet."""

    eventlog: bytes | None = None
    jobspec: bytes | None = None
    r: bytes | None = None
    other: bool = False

    def ready(self) -> bool:
        """Eventlog and jobspec are there, and R if the job ever got an allocation."""
        if self.eventlog is None or self.jobspec is None:
            return False
        return self.r is not None or b'"alloc"' not in self.eventlog


class Assembly:
    """One reading of an archive. After `run` (and `finish`, always) the results are complete."""

    def __init__(self, members: Members, findings: Findings, *, thorough: bool) -> None:
        self._members = members
        self._findings = findings
        self._thorough = thorough
        self._folder = JobFolder(findings)
        self._pending: dict[int, _Files] = {}
        self._done: dict[int, Job] = {}
        self._prefix = ""
        self._job_id = -1
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
        for member in self._members.scan(wanted, self._findings):
            self.entries += 1
            if member.mtime > self.newest:
                self.newest = member.mtime
            finding = names.hostile(member)
            if finding is not None:
                self._findings.note(finding)
            elif member.name[: names.JOB_PREFIX] == self._prefix:
                self._take_job_file(member)
            elif member.kind in (FILE, SYMLINK):
                self._take_first(member)

    def finish(self) -> None:
        """Make what jobs can be made of files that stayed incomplete, and put all in order."""
        self._close()
        for job_id, files in self._pending.items():
            self._complain_about(job_id, files)
            if files.eventlog is not None:
                self._make(job_id, files)
                self.partial.add(job_id)
        self._pending.clear()
        self.jobs = [self._done[job_id] for job_id in sorted(self._done)]
        if self.entries and not (self._done or self.partial or self.instance.starts):
            self._refuse_foreign()

    def _take_first(self, member: Member) -> None:
        """The first member of another directory than before."""
        self._close()
        prefix = member.name[: names.JOB_PREFIX]
        job_id = names.job_id(prefix)
        if job_id is not None:
            self._prefix, self._job_id = prefix, job_id
            self.details.add_run(job_id, member.offset)
            self._take_job_file(member)
        elif member.name in names.INSTANCE_FILES and member.data is not None:
            self.instance.take(member.name, member.data)
        elif member.name.startswith(names.LOST_AND_FOUND) and len(self.lost) < _MAX_LOST:
            self.lost.add("/".join(member.name.split("/")[:3]))

    def _take_job_file(self, member: Member) -> None:
        name = member.name[names.JOB_PREFIX + 1 :]
        if name.startswith("guest"):
            if self._thorough and member.data is not None:
                check_value(member.name, member.data, self._findings)
            return
        if self._job_id in self._done:
            self._findings.add(Kind.DAMAGED, member.name, "it is there twice")
            return
        files = self._pending.setdefault(self._job_id, _Files())
        if name == names.EVENTLOG:
            self._once(member, files.eventlog)
            files.eventlog = member.data
        elif name == names.JOBSPEC:
            self._once(member, files.jobspec)
            files.jobspec = member.data
        elif name == names.R:
            self._once(member, files.r)
            files.r = member.data
        else:
            files.other = True

    def _once(self, member: Member, before: bytes | None) -> None:
        if before is not None:
            self._findings.add(Kind.DAMAGED, member.name, "it is there twice")

    def _close(self) -> None:
        """The run of a job's files ended: make the job if nothing is missing."""
        if not self._prefix:
            return
        files = self._pending.get(self._job_id)
        if files is not None and files.ready():
            self._make(self._job_id, files)
            del self._pending[self._job_id]
        self._prefix, self._job_id = "", -1

    def _make(self, job_id: int, files: _Files) -> None:
        before = self._findings.total
        self._done[job_id] = self._folder.fold(
            job_id, files.eventlog or b"", files.jobspec, files.r
        )
        if self._findings.total != before:
            self.partial.add(job_id)

    def _complain_about(self, job_id: int, files: _Files) -> None:
        place = f"job {f58(job_id)}"
        if files.eventlog is None:
            self._findings.add(Kind.DAMAGED, place, "its eventlog is missing")
        if files.jobspec is None:
            self._findings.add(Kind.DAMAGED, place, "its jobspec is missing")

    def _refuse_foreign(self) -> None:
        message = "it is an archive, but flux dump did not write it: no jobs and no admin/eventlog"
        self._findings.add(Kind.NOT_AN_ARCHIVE, "", message)
