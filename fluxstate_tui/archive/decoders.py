"""The three files of a job, decoded straight into what is needed of them.

msgspec instead of json, because of the benchmark (tests/benchmarks/archive.py): jobspecs 15 times,
eventlogs 4 times as fast, and that was two thirds of the reader's time. It knows only how
flux-core writes these files; whatever is unusual raises UnusualError and is read with json.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

import msgspec

from fluxstate_tui.model import jobspec as jobspecs
from fluxstate_tui.model.eventlog import MAX_TIMESTAMP
from fluxstate_tui.model.resources import ResourceSet

UnusualError = msgspec.MsgspecError

_REMEMBERED = 1 << 12
_NOTHING = msgspec.Raw(b"")
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class LogEntry(msgspec.Struct, gc=False):
    """One line of an eventlog (RFC 18)."""

    timestamp: Annotated[float, msgspec.Meta(ge=0.0, lt=MAX_TIMESTAMP)]
    name: str
    context: dict[str, Any] = {}


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


class _Attributes(msgspec.Struct, gc=False):
    system: _System


class _Task(msgspec.Struct, gc=False):
    command: list[str]
    count: msgspec.Raw = _NOTHING


class _Jobspec(msgspec.Struct, gc=False):
    resources: msgspec.Raw
    tasks: list[_Task]
    attributes: _Attributes


class _Execution(msgspec.Struct, gc=False):
    R_lite: msgspec.Raw
    nodelist: msgspec.Raw = _NOTHING
    expiration: float = 0.0


class _R(msgspec.Struct, gc=False):
    version: int
    execution: _Execution


class Decoders:
    """Decoders with a memory: thousands of jobs ask for the same and run in the same places."""

    def __init__(self) -> None:
        self._events = msgspec.json.Decoder(LogEntry)
        self._jobspec = msgspec.json.Decoder(_Jobspec)
        self._r = msgspec.json.Decoder(_R)
        self._counts: dict[bytes, jobspecs.Counts] = {}
        self._allocations: dict[tuple[bytes, bytes, float], ResourceSet] = {}

    def events(self, eventlog: bytes) -> list[LogEntry]:
        """All entries. Raises UnusualError."""
        return self._events.decode_lines(eventlog)

    def asked(self, jobspec: bytes) -> jobspecs.Asked:
        """What a Job shows of its jobspec. Raises UnusualError or ValueError."""
        spec = self._jobspec.decode(jobspec)
        system, task = spec.attributes.system, spec.tasks[0] if spec.tasks else None
        if task is None or not 0 <= system.duration < 1e18:
            raise UnusualError
        key = b"%b|%b|%b" % (spec.resources, task.count, system.shell)
        counts = self._counts.get(key)
        if counts is None:
            counts = jobspecs.counts(json.loads(jobspec))
            _remember(self._counts, key, counts)
        name = system.job.name
        return jobspecs.Asked(
            name if name is not None else jobspecs.program_name(task.command),
            system.cwd,
            system.queue,
            system.project,
            system.bank,
            system.duration,
            counts,
        )

    def resources(self, r: bytes) -> ResourceSet:
        """The allocation; its `starttime` may be another job's. Raises UnusualError, ValueError."""
        decoded = self._r.decode(r).execution
        key = (bytes(decoded.R_lite), bytes(decoded.nodelist), decoded.expiration)
        found = self._allocations.get(key)
        if found is None:
            found = ResourceSet.parse(json.loads(r))
            _remember(self._allocations, key, found)
        return found


def _remember(memory: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory[key] = value
