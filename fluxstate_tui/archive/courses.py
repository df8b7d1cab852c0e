"""What an eventlog makes of a job, worked out once for thousands of eventlogs that are alike.

Most jobs of an archive went the same way and differ in their timestamps only. The fold
(model/replay.py) never computes with times, it only keeps them. So it is run on an eventlog with
line numbers in the place of its times, and the result, the course, is remembered under the
eventlog's names and contexts; each job then puts its own times in. That takes a third of the time
of a fold for every job, and a fifth off the reader's (tests/benchmarks/archive.py).
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from fluxstate_tui.model.eventlog import MAX_TIMESTAMP
from fluxstate_tui.model.job import JobException, JobResult, JobState
from fluxstate_tui.model.replay import HANDLERS, JobDraft

UnusualError = msgspec.MsgspecError

_REMEMBERED = 1 << 12
_MAX_SHAPE = 1 << 13
_NEVER: Final = -1

_Time = Annotated[float, msgspec.Meta(ge=0.0, lt=MAX_TIMESTAMP)]


class _Line(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One line of an eventlog (RFC 18), decoded no further than its time."""

    timestamp: _Time
    name: msgspec.Raw
    context: msgspec.Raw = msgspec.Raw(b"{}")


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
        self._lines = msgspec.json.Decoder(_Line)
        self._name = msgspec.json.Decoder(str)
        self._context = msgspec.json.Decoder(dict[str, Any])
        self._known: dict[tuple[bytes, bytes], Course] = {}

    def course(self, eventlog: bytes) -> tuple[Course, list[float | None]]:
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

    def _learn(self, lines: list[_Line], shape: tuple[bytes, bytes]) -> Course:
        draft, allocated = JobDraft(0), False
        for number, line in enumerate(lines):
            name, context = self._name.decode(line.name), self._context.decode(line.context)
            if name in _CHANGE_MORE:
                raise UnusualError
            allocated |= name == "alloc"
            handler = HANDLERS.get(name)
            if handler is not None and not handler(draft, number, context):
                raise UnusualError
        if draft.state is JobState.NEW or draft.userid < 0:
            raise UnusualError
        course = _course(draft, len(lines), allocated)
        if len(shape[0]) + len(shape[1]) < _MAX_SHAPE:
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
