"""Jobspec and R of a job, decoded straight into what is needed of them.

msgspec instead of json, because of the benchmark (tests/benchmarks/archive.py): jobspecs are read
15 times as fast. It knows only how flux-core writes them; whatever is unusual raises UnusualError
and is read with json.
"""

from __future__ import annotations

import json
import re
from typing import TypeVar

import msgspec

from fluxstate_tui.model import jobspec as jobspecs
from fluxstate_tui.model.resources import ResourceSet

UnusualError = msgspec.MsgspecError

_REMEMBERED = 1 << 12
# The times of an R, which differ from job to job where nothing else does.
_NUMBER = rb"(?:0|[1-9][0-9]{0,10})(?:\.[0-9]+)?"
_R_TIMES = re.compile(rb'"starttime": ?%b, ?"expiration": ?(%b)(?=[,}])' % (_NUMBER, _NUMBER))
_NOTHING = msgspec.Raw(b"")
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

    def resources(self, r: bytes) -> tuple[ResourceSet, float]:
        """The allocation and its expiration: its own `expiration` may be another job's.

        Raises ValueError, TypeError or AttributeError when it is none.
        """
        pieces = _R_TIMES.split(r)
        if len(pieces) != 3:
            found = ResourceSet.parse(json.loads(r))
            return found, found.expiration
        before, expiration, after = pieces
        key = (before, after)
        known = self._allocations.get(key)
        if known is None:
            known = ResourceSet.parse(json.loads(r))
            _remember(self._allocations, key, known)
        return known, float(expiration)


def _remember(memory: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory[key] = value
