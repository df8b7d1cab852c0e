"""What a jobspec asks for (RFC 14, RFC 25), counted like flux-core's job-list module does (0.88).

A jobspec here is the decoded JSON object as users' tools wrote it, so nothing in it is trusted:
what is missing or of the wrong type counts as absent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

Jobspec = dict[str, Any]

_MAX_LEVELS = 16
_ALL = 1 << 40


@dataclass(frozen=True, slots=True)
class Counts:
    """Tasks, cores and nodes that are known before an allocation; None = only R will tell.

    `most` is how many nodes (else slots) it takes when they are there, None for all; `nslots` are
    those it needs. With `--exclusive` nodes the cores are unknown. `ntasks_per` is how many tasks
    each allocated "node" or "core" gets, when the number of tasks depends on R.
    """

    ntasks: int | None = None
    ncores: int | None = None
    nnodes: int | None = None
    gpus_per_slot: int = 0
    nslots: int = 0
    slot_size: int = 0
    exclusive: bool = False
    ntasks_per: tuple[str, int] | None = None
    most: int | None = None


class Asked(NamedTuple):
    """All that a Job shows of its jobspec. `duration` is in seconds, 0 = no limit."""

    name: str
    cwd: str
    queue: str
    project: str
    bank: str
    duration: float
    counts: Counts


def asked(jobspec: Jobspec) -> Asked:
    """Everything at once."""
    system = attribute(jobspec)
    texts = system if isinstance(system, dict) else {}
    return Asked(
        name=job_name(jobspec),
        cwd=_text(texts.get("cwd")),
        queue=_text(texts.get("queue")),
        project=_text(texts.get("project")),
        bank=_text(texts.get("bank")),
        duration=duration(jobspec),
        counts=counts(jobspec),
    )


def attribute(jobspec: Jobspec, *path: str) -> Any:
    """A value below `attributes.system`, or None."""
    value: Any = jobspec
    for key in ("attributes", "system", *path):
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def with_attribute(jobspec: Jobspec, name: str, value: Any) -> Jobspec:
    """A copy with this below `attributes.system`."""
    attributes = jobspec.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    system = attributes.get("system")
    system = system if isinstance(system, dict) else {}
    return {**jobspec, "attributes": {**attributes, "system": {**system, name: value}}}


def text_attribute(jobspec: Jobspec, *path: str) -> str:
    """A text below `attributes.system`, '' if there is none."""
    return _text(attribute(jobspec, *path))


def command(jobspec: Jobspec) -> list[str]:
    """The command line of the first task, [] if the jobspec has none."""
    words = _first_task(jobspec).get("command")
    if isinstance(words, str):
        return [words]
    if not isinstance(words, list):
        return []
    return [word for word in words if isinstance(word, str)]


def job_name(jobspec: Jobspec) -> str:
    """`attributes.system.job.name`, else the last part of the program's path."""
    name = attribute(jobspec, "job", "name")
    if isinstance(name, str):
        return name
    return program_name(command(jobspec))


def program_name(words: list[str]) -> str:
    """What flux-core calls a job without a name: the last part of its program's path."""
    return words[0].rpartition("/")[2] or words[0] if words else ""


def duration(jobspec: Jobspec) -> float:
    """The time limit in seconds; 0 = none."""
    value = attribute(jobspec, "duration")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if 0 <= value < 1e18 else 0.0


def queue(jobspec: Jobspec) -> str:
    """The named queue that it was submitted to, '' for the anonymous one."""
    return text_attribute(jobspec, "queue")


def counts(jobspec: Jobspec) -> Counts:
    """What the resources section asks for; all None when it makes no sense."""
    shape = {"node": 0, "slot": 0, "core": 0, "gpu": 0, "exclusive": 0, "most": 0, "slots most": 0}
    if not _walk(jobspec.get("resources"), shape, 1, 0):
        return Counts()
    nnodes, slot_size = shape["node"], shape["core"]
    nslots = shape["slot"] * (nnodes or 1)
    if nslots <= 0 or slot_size <= 0:
        return Counts()
    exclusive = bool(nnodes and shape["exclusive"])
    most = shape["most"] if nnodes else shape["slots most"]
    ntasks, ntasks_per = _tasks(jobspec, nnodes, nslots, slot_size)
    return Counts(
        ntasks=ntasks,
        ncores=None if exclusive else nslots * slot_size,
        nnodes=nnodes or None,
        gpus_per_slot=shape["gpu"],
        nslots=nslots,
        slot_size=slot_size,
        exclusive=exclusive,
        ntasks_per=ntasks_per,
        most=most if most < _ALL else None,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _walk(level: Any, shape: dict[str, int], factor: int, depth: int) -> bool:
    if not isinstance(level, list) or depth > _MAX_LEVELS:
        return False
    for vertex in level:
        if not isinstance(vertex, dict):
            return False
        number = _count(vertex.get("count"))
        if number is None:
            return False
        kind = vertex.get("type")
        if kind == "node":
            shape["node"] = factor * number
            shape["most"] = factor * _most(vertex.get("count"), number)
            shape["exclusive"] |= vertex.get("exclusive") is True
        elif kind in ("slot", "core", "gpu"):
            shape[kind] = number
            if kind == "slot":
                shape["slots most"] = _most(vertex.get("count"), number)
        below = vertex.get("with")
        if below is not None and not _walk(below, shape, factor * number, depth + 1):
            return False
    return True


def _count(value: Any) -> int | None:
    """A plain count, or the minimum of a range (RFC 14): what is needed at least."""
    if isinstance(value, dict):
        value = value.get("min")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1 << 31:
        return None
    return value


def _most(value: Any, least: int) -> int:
    """The maximum of a range; `_ALL` for one without."""
    if not isinstance(value, dict):
        return least
    most = value.get("max", _ALL)
    return max(least, most) if isinstance(most, int) and not isinstance(most, bool) else least


def _tasks(
    jobspec: Jobspec, nnodes: int, nslots: int, slot_size: int
) -> tuple[int | None, tuple[str, int] | None]:
    per_resource = attribute(jobspec, "shell", "options", "per-resource")
    if isinstance(per_resource, dict):
        kind = per_resource.get("type")
        each = _count(per_resource.get("count", 1)) or 1
        if kind == "node":
            return (nnodes * each, None) if nnodes else (None, ("node", each))
        if kind == "core":
            return (None, ("core", each)) if nnodes else (nslots * slot_size * each, None)
    wanted = _first_task(jobspec).get("count")
    total = _count(wanted.get("total")) if isinstance(wanted, dict) else None
    return total or nslots, None


def _first_task(jobspec: Jobspec) -> dict[str, Any]:
    tasks = jobspec.get("tasks")
    if isinstance(tasks, list) and tasks and isinstance(tasks[0], dict):
        return tasks[0]
    return {}


# Flux Standard Duration (RFC 23).

_DURATION = re.compile(r"(?P<number>\d+(?:\.\d*)?|\.\d+)(?P<unit>ms|[smhd]?)", re.ASCII)
_UNITS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """Seconds of `90`, `1.5h`, `10m`. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"'{text}' is no duration: write 90s, 10m, 1.5h or 2d.")
    return float(match["number"]) * _UNITS[match["unit"]]
