"""One job of an archive from its three files: eventlog, jobspec and R."""

from __future__ import annotations

import json
from typing import Final

from fluxstate_tui.archive.courses import Courses
from fluxstate_tui.archive.decoders import Decoders, UnusualError
from fluxstate_tui.archive.findings import Findings, Kind
from fluxstate_tui.model import eventlog as eventlogs
from fluxstate_tui.model.job import Job, JobState
from fluxstate_tui.model.jobid import f58
from fluxstate_tui.model.jobspec import Counts
from fluxstate_tui.model.replay import JobDraft
from fluxstate_tui.model.resources import ResourceSet

# The state that a job must have reached for an event to make sense (RFC 21).
_NEEDS: Final[dict[str, JobState]] = {
    "depend": JobState.DEPEND,
    "priority": JobState.PRIORITY,
    "alloc": JobState.SCHED,
    "finish": JobState.RUN,
    "clean": JobState.CLEANUP,
}
_ONCE = ("submit", "validate")
_DIRECTORIES = 1 << 12


class JobFolder:
    """Makes Jobs of files. Broken files give findings, and a job of what could be read.

    The working directory, which nearly all jobs share, is kept once.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._directories: dict[str, str] = {}
        self._decoders = Decoders()
        self._courses = Courses()

    def fold(self, job_id: int, eventlog: bytes, jobspec: bytes | None, r: bytes | None) -> Job:
        """The job as these files tell it. Whatever is wrong with them is a finding."""
        try:
            if jobspec is not None:
                return self._fold_quickly(job_id, eventlog, jobspec, r)
        except (UnusualError, ValueError, TypeError, AttributeError, RecursionError):
            pass
        draft = JobDraft(job_id)
        self._use_jobspec(draft, jobspec)
        self._fold_slowly(draft, eventlog, r)
        return draft.freeze()

    def _fold_quickly(self, job_id: int, eventlog: bytes, jobspec: bytes, r: bytes | None) -> Job:
        """The job if everything is as flux-core writes it, else UnusualError and its like."""
        course, times = self._courses.course(eventlog)
        asked = self._decoders.asked(jobspec)
        got = self._got(course.allocated, asked.counts, r)
        ntasks, ncores, nnodes, ranks, nodelist, expiration = got
        return Job(
            job_id,
            course.userid,
            course.state,
            asked.name,
            course.urgency,
            course.priority,
            self._shared(asked.cwd),
            asked.queue,
            asked.project,
            asked.bank,
            ntasks,
            ncores,
            nnodes,
            asked.duration,
            ranks,
            nodelist,
            expiration,
            times[course.submitted] or 0.0,
            times[course.depend],
            times[course.prioritized],
            times[course.sched],
            times[course.run],
            times[course.cleanup],
            times[course.inactive],
            course.result,
            course.waitstatus,
            course.exception,
            course.dependencies,
            course.annotations,
        )

    def _got(
        self, allocated: bool, counts: Counts, r: bytes | None
    ) -> tuple[int | None, int | None, int | None, str, str, float | None]:
        """Tasks, cores, nodes, ranks, nodelist and expiration, as asked for or as allocated."""
        if not allocated:
            return counts.ntasks, counts.ncores, counts.nnodes, "", "", None
        if r is None:
            raise UnusualError
        found, until = self._decoders.resources(r)
        per = counts.ntasks_per
        ntasks = counts.ntasks if per is None else found.tasks(per)
        return ntasks, found.ncores, found.nnodes, found.ranks, found.nodelist, until or None

    def _shared(self, directory: str) -> str:
        """The same object for the same directory."""
        if len(self._directories) < _DIRECTORIES:
            return self._directories.setdefault(directory, directory)
        return self._directories.get(directory, directory)

    def _fold_slowly(self, draft: JobDraft, eventlog: bytes, r: bytes | None) -> None:
        """Line by line, with a finding for everything that is not as it should be."""
        for number, line in enumerate(eventlog.split(b"\n"), start=1):
            if not line:
                continue
            place = f"job {f58(draft.id)}, eventlog line {number}"
            try:
                event = eventlogs.parse_line(line)
                if event.name == "alloc":
                    self._use_resources(draft, r)
                fits = draft.apply(event)
            except (ValueError, TypeError, AttributeError) as error:
                self._findings.add(Kind.DAMAGED, place, f"not an event of a job ({error})")
                continue
            early = draft.state < _NEEDS.get(event.name, JobState.NEW)
            if not fits and (early or event.name in _ONCE):
                message = f"event {event.name} does not belong here (state {draft.state.name})"
                self._findings.add(Kind.DAMAGED, place, message)
        if draft.userid < 0:
            place = f"job {f58(draft.id)}, eventlog"
            self._findings.add(Kind.DAMAGED, place, "there is no submit event")
        if eventlog and not eventlog.endswith(b"\n"):
            place = f"job {f58(draft.id)}, eventlog"
            self._findings.add(Kind.DAMAGED, place, "the last line is not complete")

    def _use_jobspec(self, draft: JobDraft, jobspec: bytes | None) -> None:
        if jobspec is None:
            return
        try:
            value = json.loads(jobspec)
            if not isinstance(value, dict):
                raise ValueError("not an object")
            draft.use_jobspec(value)
        except (ValueError, RecursionError, TypeError, AttributeError) as error:
            place = f"job {f58(draft.id)}, jobspec"
            self._findings.add(Kind.DAMAGED, place, f"not a jobspec ({error})")

    def _use_resources(self, draft: JobDraft, r: bytes | None) -> None:
        place = f"job {f58(draft.id)}, R"
        if r is None:
            self._findings.add(Kind.DAMAGED, place, "it is missing, though the job was allocated")
            return
        try:
            draft.use_resources(ResourceSet.parse(json.loads(r)))
        except (ValueError, RecursionError, TypeError, AttributeError) as error:
            self._findings.add(Kind.DAMAGED, place, f"not a resource set ({error})")
