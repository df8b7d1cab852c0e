"""What an eventlog makes of a job, worked out once for thousands of eventlogs that are alike.

Most jobs of an archive went the same way and differ in their timestamps only. The fold
(model/replay.py) never computes with times, it only keeps them. So it is run on an eventlog with
line numbers in the place of its times, and the result, the course, is remembered under the
eventlog's text without times; each job then puts its own times in. That takes a half of the time
of a fold for every job, and an eighth off the reader's (tests/benchmarks/archive.py).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import msgspec

from fluxstate_tui.model.eventlog import MAX_TIMESTAMP
from fluxstate_tui.model.job import JobException, JobResult, JobState
from fluxstate_tui.model.replay import HANDLERS, JobDraft

UnusualError = msgspec.MsgspecError

# How flux-core begins every line; inside a JSON text its quotes would be escaped.
_BEGIN = re.compile(rb'\{"timestamp":([^,]+),')
_REMEMBERED = 1 << 12
_MAX_SHAPE = 1 << 13
_NEVER: Final = -1

_Time = Annotated[float, msgspec.Meta(ge=0.0, lt=MAX_TIMESTAMP)]


class _Entry(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One line of an eventlog (RFC 18) without its time."""

    name: str
    context: dict[str, Any] = {}


class Course(msgspec.Struct, frozen=True, gc=False):
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


class Courses:
    """A memory of courses."""

    def __init__(self) -> None:
        self._times = msgspec.json.Decoder(list[_Time])
        self._entry = msgspec.json.Decoder(_Entry)
        self._known: dict[bytes, Course] = {}

    def course(self, eventlog: bytes) -> tuple[Course, list[float | None]]:
        """The course and the times of its lines, with None at the end, for what never was.

        Raises UnusualError or ValueError when anything is not as flux-core writes it.
        """
        pieces = _BEGIN.split(eventlog)
        numbers = b",".join(pieces[1::2])
        if b"\n" in numbers:
            raise UnusualError
        times: list[Any] = self._times.decode(b"[%b]" % numbers)
        # No control character is in a valid line: a course has as many NULs as lines.
        shape = b"\0".join(pieces[::2])
        course = self._known.get(shape)
        if course is None:
            course = self._learn(shape)
        if course.lines != len(times):
            raise UnusualError
        times.append(None)
        return course, times

    def _learn(self, shape: bytes) -> Course:
        before, *lines = shape.split(b"\0")
        if before:
            raise UnusualError
        draft, allocated = JobDraft(0), False
        for number, line in enumerate(lines):
            entry = self._entry.decode(b"{" + line)
            if entry.name in _CHANGE_MORE or line.index(b"\n") != len(line) - 1:
                raise UnusualError
            allocated |= entry.name == "alloc"
            handler = HANDLERS.get(entry.name)
            if handler is not None and not handler(draft, number, entry.context):
                raise UnusualError
        if draft.state is JobState.NEW or draft.userid < 0:
            raise UnusualError
        course = _course(draft, len(lines), allocated)
        if len(shape) < _MAX_SHAPE:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[shape] = course
        return course


# They change what jobspec and R say, and that is no part of a course.
_CHANGE_MORE = frozenset(("jobspec-update", "resource-update"))


def _course(draft: JobDraft, lines: int, allocated: bool) -> Course:
    job = draft.freeze()
    return Course(
        lines,
        allocated,
        job.userid,
        job.state,
        job.urgency,
        job.priority,
        int(job.t_submit),
        _line(job.t_depend),
        _line(job.t_priority),
        _line(job.t_sched),
        _line(job.t_run),
        _line(job.t_cleanup),
        _line(job.t_inactive),
        job.result,
        job.waitstatus,
        job.exception,
        job.dependencies,
        job.annotations,
    )


def _line(time: float | None) -> int:
    return _NEVER if time is None else int(time)
