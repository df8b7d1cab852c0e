"""From members to jobs: files are gathered per job, and a job is made as soon as it is complete.

flux-dump up to 0.75 writes a job's files together; 0.88 walks breadth-first, so that `guest/*`
comes much later. Any order is read; only an unnatural one needs more memory.
"""

from __future__ import annotations

from fluxstate_tui.archive import names
from fluxstate_tui.archive.details import DetailReader
from fluxstate_tui.archive.findings import Findings, Kind
from fluxstate_tui.archive.fold import JobFolder
from fluxstate_tui.archive.instance import Instance
from fluxstate_tui.archive.members import Members
from fluxstate_tui.archive.tar import FILE, Member
from fluxstate_tui.archive.thorough import check_value
from fluxstate_tui.model.job import Job
from fluxstate_tui.model.jobid import f58
from fluxstate_tui.model.steps import in_order, let_go

_MAX_LOST = 1000
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
        self._fold = JobFolder(findings).fold
        self._pending: dict[int, _Files] = {}
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
            for name in (names.EVENTLOG, names.JOBSPEC):
                if name not in files:
                    self._findings.add(
                        self._missing, f"job {f58(job_id)}", f"its {name} is missing"
                    )
            if names.EVENTLOG in files:
                self._make(job_id, files)
                self.partial.add(job_id)
        self._pending.clear()
        self._put_in_order()
        if self.entries and not (self.jobs or self.partial or self._flux):
            self._refuse_foreign()

    def _put_in_order(self) -> None:
        ids = in_order(self._ids)
        self.jobs = [self._done[job_id % _SHARES][job_id] for job_id in ids]
        for share in self._done:
            share.clear()
        let_go(self._ids)
        let_go(ids)

    def _enter(self, member: Member) -> bool:
        """Begin the run of another job's files; False if this is no job's directory."""
        job_id = names.job_id(member.folder)
        if job_id is None:
            return False
        self._close()
        self._folder, self._job_id = member.folder, job_id
        self._files = self._pending.pop(job_id, {})
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
        if self._job_id in self._done[self._job_id % _SHARES]:
            message = "it is there twice, or far from its job"
            for file in files:
                self._findings.add(Kind.DAMAGED, self._folder + file, message)
        elif _ready(files):
            self._make(self._job_id, files)
        else:
            self._pending[self._job_id] = files

    def _make(self, job_id: int, files: _Files) -> None:
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


def _ready(files: _Files) -> bool:
    """Eventlog and jobspec are there, and R if the job ever got an allocation."""
    if names.EVENTLOG not in files or names.JOBSPEC not in files:
        return False
    return names.R in files or b'"alloc"' not in files[names.EVENTLOG]
