"""One job of an archive from its three files: eventlog, jobspec and R."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Final, TypeVar

import msgspec

from fluxstate_tui.archive.findings import Findings, Kind
from fluxstate_tui.flux import eventlog as eventlogs
from fluxstate_tui.flux import jobspec as jobspecs
from fluxstate_tui.flux import loader
from fluxstate_tui.flux.eventlog import MAX_TIMESTAMP
from fluxstate_tui.flux.job import Job, JobException, JobResult, JobState
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.flux.jobspec import Counts
from fluxstate_tui.flux.loader import Entry, Refusal
from fluxstate_tui.flux.reducer import HANDLERS, JobBuilder
from fluxstate_tui.flux.resources import ResourceSet
from fluxstate_tui.flux.scheduler import Request, request, request_of, request_of_job

# Jobspec and R of a job, decoded straight into what is needed of them.
#
# msgspec instead of json, because of the benchmark (tests/benchmarks/archive.py): jobspecs are read
# 15 times as fast. It knows only how flux-core writes them; whatever is unusual raises UnusualError
# and is read with json.

UnusualError = msgspec.MsgspecError

_REMEMBERED = 1 << 12
_MAX_SHAPE = 1 << 13
# The times of an R, which differ from job to job where nothing else does.
_NUMBER = rb"(?:0|[1-9][0-9]{0,10})(?:\.[0-9]+)?"
_R_TIMES = re.compile(rb'"starttime": ?%b, ?"expiration": ?(%b)(?=[,}])' % (_NUMBER, _NUMBER))
_NOTHING = msgspec.Raw(b"")
# Where msgspec passes over what Flux's JSON library refuses in a value that is not looked at.
_RARE = re.compile(rb"[0-9](?:[0-9]{18}|[eE]\+?[0-9]{2})")
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class _Naming(msgspec.Struct, frozen=True, gc=False):
    name: str | None = None


class _System(msgspec.Struct, gc=False):
    duration: float = 0.0
    cwd: str = ""
    queue: str = ""
    project: str = ""
    bank: str = ""
    job: _Naming = _Naming()
    shell: msgspec.Raw = _NOTHING
    constraints: msgspec.Raw = _NOTHING


class _Attributes(msgspec.Struct, gc=False):
    system: _System


class _Task(msgspec.Struct, gc=False):
    command: list[str]
    count: msgspec.Raw = _NOTHING


class _Jobspec(msgspec.Struct, gc=False):
    resources: msgspec.Raw
    tasks: list[_Task]
    attributes: _Attributes


class Decoders:
    """Decoders with a memory: thousands of jobs ask for the same and run in the same places."""

    def __init__(self) -> None:
        self._jobspec = msgspec.json.Decoder(_Jobspec)
        self._counts: dict[bytes, jobspecs.Counts] = {}
        self._allocations: dict[tuple[bytes, bytes], ResourceSet] = {}

    def asked(self, jobspec: bytes) -> tuple[jobspecs.Asked, bytes]:
        """What a Job shows of its jobspec, and its constraints as JSON, b"" for none.

        Raises UnusualError or ValueError.
        """
        if b"\\u" in jobspec or _RARE.search(jobspec) is not None or not _is_text(jobspec):
            raise UnusualError
        spec = self._jobspec.decode(jobspec)
        system, task = spec.attributes.system, spec.tasks[0] if spec.tasks else None
        if task is None or not 0 <= system.duration < 1e18:
            raise UnusualError
        key = b"%b|%b|%b" % (spec.resources, task.count, system.shell)
        counts = self._counts.get(key)
        if counts is None:
            counts = jobspecs.counts(json.loads(jobspec))
            _remember(self._counts, key, counts, len(key))
        name = system.job.name
        asked = jobspecs.Asked(
            name=name if name is not None else jobspecs.program_name(task.command),
            cwd=system.cwd,
            queue=system.queue,
            project=system.project,
            bank=system.bank,
            duration=system.duration,
            counts=counts,
        )
        return asked, bytes(system.constraints)

    def resources(self, r: bytes) -> tuple[ResourceSet, float]:
        """The allocation and its expiration: its own `expiration` may be another job's.

        Raises ValueError, TypeError or AttributeError when it is none.
        """
        pieces = _R_TIMES.split(r)
        if len(pieces) != 3:
            found = ResourceSet.parse(loader.decode(r))
            return found, found.expiration
        before, expiration, after = pieces
        key = (before, after)
        known = self._allocations.get(key)
        if known is None:
            known = ResourceSet.parse(loader.decode(r))
            _remember(self._allocations, key, known, len(before) + len(after))
        return known, float(expiration)


def _is_text(data: bytes) -> bool:
    """UTF-8; else UnicodeDecodeError, which is a ValueError."""
    return data.isascii() or bool(data.decode())


def _remember(memory: dict[_Key, _Value], key: _Key, value: _Value, size: int) -> None:
    """`size` is that of the key in bytes: large ones repeat for no job but a hostile one's."""
    if size > _MAX_SHAPE:
        return
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory[key] = value


# What an eventlog makes of a job, worked out once for thousands of eventlogs that are alike.
#
# Most jobs of an archive went the same way and differ in their timestamps only. The fold
# (model/replay.py) never computes with times, it only keeps them. So it is run on an eventlog with
# line numbers in the place of its times, and the result, the course, is remembered under the
# eventlog's names and contexts; each job then puts its own times in. That takes a third of the time
# of a fold for every job, and a fifth off the reader's (tests/benchmarks/archive.py).

_NEVER: Final = -1

_Time = Annotated[float, msgspec.Meta(ge=0.0, lt=MAX_TIMESTAMP)]


class _Line(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One line of an eventlog (RFC 18), decoded no further than its time."""

    timestamp: _Time
    name: msgspec.Raw
    context: msgspec.Raw = _NOTHING


class EventlogTemplate(msgspec.Struct, frozen=True, gc=False):
    """What a Job shows of its eventlog; `submitted` to `inactive` are lines, -1 = never."""

    lines: int
    allocated: bool
    userid: int
    state: JobState
    urgency: int
    priority: int | None
    submitted: int
    depend: int
    prioritized: int
    sched: int
    run: int
    cleanup: int
    inactive: int
    result: JobResult | None
    waitstatus: int | None
    exception: JobException | None
    dependencies: tuple[str, ...]
    annotations: dict[str, Any]


class EventlogTemplates:
    """A memory of courses. `learned` is what the annotations of all that were new weigh."""

    def __init__(self) -> None:
        self._lines = msgspec.json.Decoder(_Line)
        self._name = msgspec.json.Decoder(str)
        self._known: dict[tuple[bytes, bytes], EventlogTemplate] = {}
        self.learned = 0

    def forget(self) -> None:
        """What was learned is not to be kept."""
        self._known.clear()

    def course(self, eventlog: bytes) -> tuple[EventlogTemplate, list[float | None]]:
        """The course and the times of its lines, with None at the end, for what never was.

        Raises UnusualError or ValueError when anything is not as flux-core writes it.
        """
        lines = self._lines.decode_lines(eventlog)
        # No control character is in valid JSON: names have as many NULs as there are lines.
        shape = (
            b"\0".join([line.name for line in lines]),
            b"\0".join([line.context for line in lines]),
        )
        course = self._known.get(shape)
        if course is None:
            course = self._learn(lines, shape)
        number = course.lines
        if number != len(lines) or not number == eventlog.count(b"\n") == eventlog.count(b"}\n"):
            raise UnusualError  # an entry over two lines, or two in one
        times: list[float | None] = [line.timestamp for line in lines]
        times.append(None)
        return course, times

    def _learn(self, lines: list[_Line], shape: tuple[bytes, bytes]) -> EventlogTemplate:
        builder, allocated, entries = JobBuilder(0), False, []
        for number, line in enumerate(lines):
            name, context = self._name.decode(line.name), _context(line.context)
            if name in _CHANGE_MORE:
                raise UnusualError
            entries.append(Entry(name, context))
            allocated |= name == "alloc"
            handler = HANDLERS.get(name)
            if handler is not None and not handler(builder, number, context or {}):
                raise UnusualError
        if builder.state is JobState.NEW or builder.userid < 0 or loader.replay(entries):
            raise UnusualError
        course = _template(builder, len(lines), allocated)
        self.learned += _weight(course.annotations)
        if len(shape[0]) + len(shape[1]) < _MAX_SHAPE:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[shape] = course
        return course


def _context(data: msgspec.Raw) -> dict[str, Any] | None:
    """A line's context, None if it has none. Raises UnusualError or ValueError."""
    if not bytes(data):
        return None
    value = loader.decode(bytes(data), with_nul=True)
    if not isinstance(value, dict):
        raise UnusualError
    return value


# They change what jobspec and R say, and that is no part of a course.
_CHANGE_MORE = frozenset(("jobspec-update", "resource-update"))


def _template(builder: JobBuilder, lines: int, allocated: bool) -> EventlogTemplate:
    job = builder.freeze()
    return EventlogTemplate(
        lines=lines,
        allocated=allocated,
        userid=job.userid,
        state=job.state,
        urgency=job.urgency,
        priority=job.priority,
        submitted=int(job.t_submit),
        depend=_line(job.t_depend),
        prioritized=_line(job.t_priority),
        sched=_line(job.t_sched),
        run=_line(job.t_run),
        cleanup=_line(job.t_cleanup),
        inactive=_line(job.t_inactive),
        result=job.result,
        waitstatus=job.waitstatus,
        exception=job.exception,
        dependencies=job.dependencies,
        annotations=job.annotations,
    )


def _line(time: float | None) -> int:
    return _NEVER if time is None else int(time)


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

# The texts and annotations of all jobs of an archive, as objects: those of a million have half.
MOST_KEPT = 1 << 30
_TOO_MUCH = f"its texts were left out: those of all jobs are over {MOST_KEPT:,} bytes"
_OBJECT_BYTES = 64


def _weight(value: object) -> int:
    """Roughly what a value of JSON takes in memory."""
    total, rest = 0, [value]
    while rest:
        one = rest.pop()
        total += _OBJECT_BYTES
        if isinstance(one, str):
            total += len(one)
        elif isinstance(one, dict):
            rest += one.keys()
            rest += one.values()
        elif isinstance(one, list):
            rest += one
    return total if value else 0


def _without_texts(job: Job) -> Job:
    return msgspec.structs.replace(
        job,
        name="",
        cwd="",
        queue="",
        project="",
        bank="",
        nodelist="",
        ranks="",
        exception=None,
        dependencies=(),
        annotations={},
    )


class JobFolder:
    """Makes Jobs of files. Broken files give findings, and a job of what could be read.

    The working directory, which nearly all jobs share, is kept once. `requests` says of waiting
    jobs what they ask of the scheduler, where the Job does not tell it. `refused` has
    those that Flux's loader would not take as they are.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.refused: dict[int, Refusal] = {}
        self._directories: dict[str, str] = {}
        self._decoders = Decoders()
        self._courses = EventlogTemplates()
        self._requests: dict[tuple[Counts, bytes], Request | None] = {}
        self._kept = self._learned = 0
        self.requests: dict[int, Request] = {}

    def fold(self, job_id: int, eventlog: bytes, jobspec: bytes | None, r: bytes | None) -> Job:
        """The job as these files tell it. Whatever is wrong with them is a finding."""
        before = self._courses.learned + self._learned
        job = self._folded(job_id, eventlog, jobspec, r)
        text = len(job.name) + len(job.cwd) + len(job.nodelist) + len(job.ranks) + len(job.queue)
        text += len(job.project) + len(job.bank) + sum(map(len, job.dependencies))
        if job.exception is not None:
            text += len(job.exception.note)
        wanted = self.requests.get(job_id)
        if wanted is not None:
            text += len(wanted.constraint)
        # Annotations of jobs that went the same way are one object.
        text += self._courses.learned + self._learned - before
        if self._kept + text <= MOST_KEPT:
            self._kept += text
            return job
        self.requests.pop(job_id, None)
        self._courses.forget()
        self._findings.add(Kind.HOSTILE, f"job {f58(job_id)}", _TOO_MUCH)
        return _without_texts(job)

    def _folded(self, job_id: int, eventlog: bytes, jobspec: bytes | None, r: bytes | None) -> Job:
        try:
            if jobspec is not None:
                return self._fold_quickly(job_id, eventlog, jobspec, r)
        except (UnusualError, ValueError, TypeError, AttributeError, RecursionError):
            pass
        self._judge(job_id, eventlog, jobspec, r)
        builder = JobBuilder(job_id)
        self._use_jobspec(builder, jobspec)
        self._fold_slowly(builder, eventlog, r)
        job = builder.freeze()
        self._learned += _weight(job.annotations)
        if job.state.pending and builder.jobspec is not None:
            self._note(job, request(builder.jobspec))
        return job

    def refuse(self, job_id: int, refusal: Refusal) -> None:
        """Note that Flux would not take this job."""
        self.refused[job_id] = refusal
        self._findings.refuse(f"job {f58(job_id)}", refusal)

    def _judge(self, job_id: int, eventlog: bytes, jobspec: bytes | None, r: bytes | None) -> None:
        """A missing jobspec is told by who knows whether it may yet come."""
        if jobspec is not None:
            refusal = loader.judge(eventlog, jobspec, r)
            if refusal is not None:
                self.refuse(job_id, refusal)

    def _fold_quickly(self, job_id: int, eventlog: bytes, jobspec: bytes, r: bytes | None) -> Job:
        """The job if everything is as flux-core writes it, else UnusualError and its like."""
        course, times = self._courses.course(eventlog)
        asked, constraints = self._decoders.asked(jobspec)
        got = self._got(course.allocated, asked.counts, r)
        ntasks, ncores, nnodes, ranks, nodelist, expiration = got
        # By position: by name it takes 5 % longer to read an archive.
        job = Job(
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
        if job.state.pending:
            self._note_quickly(job, asked.counts, constraints)
        return job

    def _note_quickly(self, job: Job, counts: Counts, constraints: bytes) -> None:
        key = (counts, constraints)
        if key not in self._requests:
            wanted = request_of(counts, json.loads(constraints) if constraints else None)
            plain = wanted == request_of_job(job)
            found = None if plain else wanted
            _remember(self._requests, key, found, len(constraints))
        else:
            found = self._requests[key]
        if found is not None:
            self.requests[job.id] = found

    def _note(self, job: Job, wanted: Request) -> None:
        if wanted != request_of_job(job):
            self.requests[job.id] = wanted

    def _got(
        self, allocated: bool, counts: Counts, r: bytes | None
    ) -> tuple[int | None, int | None, int | None, str, str, float | None]:
        """Tasks, cores, nodes, ranks, nodelist and expiration, as asked for or as allocated."""
        if not allocated:
            if r is not None:
                raise UnusualError
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

    def _fold_slowly(self, builder: JobBuilder, eventlog: bytes, r: bytes | None) -> None:
        """Line by line, with a finding for everything that is not as it should be."""
        for number, line in enumerate(eventlog.split(b"\n"), start=1):
            if not line:
                continue
            place = f"job {f58(builder.id)}, eventlog line {number}"
            try:
                event = eventlogs.parse_line(line)
                if event.name == "alloc":
                    self._use_resources(builder, r)
                fits = builder.apply(event)
            except (ValueError, TypeError, AttributeError) as error:
                self._findings.add(Kind.DAMAGED, place, f"not an event of a job ({error})")
                continue
            early = builder.state < _NEEDS.get(event.name, JobState.NEW)
            if not fits and (early or event.name in _ONCE):
                message = f"event {event.name} does not belong here (state {builder.state.name})"
                self._findings.add(Kind.DAMAGED, place, message)
        if builder.userid < 0:
            place = f"job {f58(builder.id)}, eventlog"
            self._findings.add(Kind.DAMAGED, place, "there is no submit event")
        if eventlog and not eventlog.endswith(b"\n"):
            place = f"job {f58(builder.id)}, eventlog"
            self._findings.add(Kind.DAMAGED, place, "the last line is not complete")

    def _use_jobspec(self, builder: JobBuilder, jobspec: bytes | None) -> None:
        if jobspec is None:
            return
        try:
            value = json.loads(jobspec)
            if not isinstance(value, dict):
                raise ValueError("not an object")
            builder.use_jobspec(value)
        except (ValueError, RecursionError, TypeError, AttributeError) as error:
            place = f"job {f58(builder.id)}, jobspec"
            self._findings.add(Kind.DAMAGED, place, f"not a jobspec ({error})")

    def _use_resources(self, builder: JobBuilder, r: bytes | None) -> None:
        place = f"job {f58(builder.id)}, R"
        if r is None:
            self._findings.add(Kind.DAMAGED, place, "it is missing, though the job was allocated")
            return
        try:
            builder.use_resources(ResourceSet.parse(json.loads(r)))
        except (ValueError, RecursionError, TypeError, AttributeError) as error:
            self._findings.add(Kind.DAMAGED, place, f"not a resource set ({error})")
