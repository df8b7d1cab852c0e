"""What Flux does with a job's files when it starts: the rules of its own loader.

job-manager replays every job first and gives up the one that it cannot replay; job-list replays
what is left and ends, and the start with it, at an event that it does not understand
(ARCHITECTURE.md#F108, ARCHITECTURE.md#F109). Both are pickier than RFC 18 and RFC 21, and the
reducer is not: a job that is shown may be one that Flux will not take.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple

from fluxstate_tui.flux.job import JobState


class Effect(Enum):
    """What becomes of a job, or of the whole queue; the harder one first."""

    NO_START = "Flux will not start from it"
    LOST = "the job would be lost"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why Flux does not take a job as it is. `place` is the file, with the line if there is one."""

    effect: Effect
    place: str
    reason: str


class Entry(NamedTuple):
    """One line of an eventlog as Flux reads it: no context is something else than an empty one."""

    name: str
    context: dict[str, Any] | None


class _LostError(Exception):
    """job-manager does not replay the job."""


_EVENTLOG = "eventlog"


def replay(
    entries: Iterable[Entry], jobspec: dict[str, Any] | None = None, *, allocated: bool = True
) -> Refusal | None:
    """Why Flux would not take this job; None if it does.

    Without a jobspec only the events are judged. `allocated` says that the job has an R.
    """
    manager = _Manager(jobspec, allocated=allocated)
    entries = list(entries)
    for number, entry in enumerate(entries, start=1):
        try:
            manager.apply(entry)
        except _LostError as error:
            return Refusal(Effect.LOST, f"{_EVENTLOG} line {number}", str(error))
    if manager.state is JobState.NEW:
        reason = "its state (NEW) is invalid after the replay"
        return Refusal(Effect.LOST, _EVENTLOG, reason)
    for number, entry in enumerate(entries, start=1):
        reason = _list(entry)
        if reason:
            return Refusal(Effect.NO_START, f"{_EVENTLOG} line {number}", reason)
        if entry.name == "invalidate":
            return Refusal(Effect.LOST, f"{_EVENTLOG} line {number}", "it was invalidated")
    return None


def judge(eventlog: bytes, jobspec: bytes, r: bytes | None) -> Refusal | None:
    """Why Flux would not take the job with these files; None if it does."""
    try:
        spec = decode(jobspec)
        _check_queue(spec)
    except (ValueError, _LostError) as error:
        return Refusal(Effect.LOST, "jobspec", f"it cannot be decoded ({error})")
    try:
        allocated = r is not None and isinstance(decode(r), dict)
    except ValueError as error:
        return Refusal(Effect.LOST, "R", f"it cannot be decoded ({error})")
    found = _decoded(eventlog)
    if isinstance(found, Refusal):
        return found
    return replay(found, spec, allocated=allocated)


def decode(data: bytes, *, with_nul: bool = False) -> Any:
    """An object or array, as strictly as Flux's JSON library reads one. Raises ValueError.

    Python's own is laxer: numbers of any size, NaN, half a surrogate pair.
    """
    text = data.decode()
    try:
        value = json.loads(text, parse_constant=_no_number, parse_int=_small, parse_float=_finite)
        if "\\u" in text:
            _check_texts(value, with_nul=with_nul)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(value, dict | list):
        raise ValueError("neither an object nor an array")
    return value


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _small(text: str) -> int:
    # As text: Python refuses to convert thousands of digits.
    if len(text) > 20 or not -(1 << 63) <= int(text) < 1 << 63:
        raise ValueError("a number is too large")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return number


def _check_texts(value: Any, *, with_nul: bool) -> None:
    if isinstance(value, str):
        value.encode()  # half a surrogate pair: UnicodeEncodeError is a ValueError
        if "\0" in value and not with_nul:
            raise ValueError("a text holds NUL")
    elif isinstance(value, dict):
        for key, one in value.items():
            _check_texts(key, with_nul=False)
            _check_texts(one, with_nul=with_nul)
    elif isinstance(value, list):
        for one in value:
            _check_texts(one, with_nul=with_nul)


def _decoded(eventlog: bytes, effect: Effect = Effect.LOST) -> list[Entry] | Refusal:
    """All lines; what follows the last newline does not count."""
    lines = eventlog.split(b"\n")
    if len(lines) == 1 and eventlog:
        return Refusal(effect, f"{_EVENTLOG} line 1", "the line has no end")
    entries = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            entries.append(_entry(line))
        except ValueError as error:
            return Refusal(effect, f"{_EVENTLOG} line {number}", f"it is no event ({error})")
    return entries


def _entry(line: bytes) -> Entry:
    value = decode(line, with_nul=True)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    timestamp, name = value.get("timestamp"), value.get("name")
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | float):
        raise ValueError("no timestamp")
    if not isinstance(name, str):
        raise ValueError("no name")
    context = value.get("context")
    if "context" in value and not isinstance(context, dict):
        raise ValueError("its context is not an object")
    return Entry(name, context)


# job-manager: what it cannot replay it moves to job-lost+found, and the job is gone.

_NEW, _DEPEND, _PRIORITY = JobState.NEW, JobState.DEPEND, JobState.PRIORITY
_SCHED, _RUN, _CLEANUP, _INACTIVE = (
    JobState.SCHED,
    JobState.RUN,
    JobState.CLEANUP,
    JobState.INACTIVE,
)
_VERSIONS = (-1, 1)
_FLAGS = frozenset(("alloc-bypass", "debug", "immutable"))
_MAX_PERILOGS = 255


class _Manager:
    """One job during its replay."""

    def __init__(self, jobspec: dict[str, Any] | None, *, allocated: bool) -> None:
        self._jobspec: dict[str, Any] = jobspec if jobspec is not None else {}
        self._allocated = allocated
        self.state = _NEW
        self._version: int | None = None
        self._waits_for: set[str] = set()
        self._waited_for: set[str] = set()
        self._perilogs = 0

    def apply(self, entry: Entry) -> None:
        """Apply one event. Raises _LostError."""
        first = self._version is None
        if self._version is None:
            self._version = _version(entry)
        self._apply(entry)
        if first and self._version == -1:  # before flux-core 0.41 there was no validate
            self.state = _DEPEND

    def _apply(self, entry: Entry) -> None:
        name, context = entry
        change = _CHANGES.get(name)
        if change is not None:
            change(self, context if context is not None else {})
        elif name == "jobspec-update":
            self._update_jobspec(context or {})
        elif name == "memo":
            if context is None:
                raise _LostError("event memo has no context")
        elif name.startswith("dependency-"):
            self._dependency(name, context or {})
        elif name.startswith("prolog-") or self._epilog(name):
            self._perilog(name)

    def _submit(self, context: dict[str, Any]) -> None:
        if self.state is not _NEW:
            raise _LostError(f"event submit does not belong here (state {self.state.name})")
        for key in ("urgency", "userid", "flags"):
            _integer("submit", context, key)

    def _validate(self, _context: dict[str, Any]) -> None:
        self.state = _DEPEND

    def _depend(self, _context: dict[str, Any]) -> None:
        if self.state is _DEPEND:
            self.state = _PRIORITY

    def _priority(self, context: dict[str, Any]) -> None:
        if self.state in (_PRIORITY, _SCHED):
            _integer("priority", context, "priority")
            self.state = _SCHED

    def _urgency(self, context: dict[str, Any]) -> None:
        _integer("urgency", context, "urgency")
        self._back()

    def _back(self, _context: object = None) -> None:
        if self.state is _SCHED:
            self.state = _PRIORITY

    def _exception(self, context: dict[str, Any]) -> None:
        if self.state in (_NEW, _INACTIVE):
            return
        severity = _integer("exception", context, "severity")
        if not isinstance(context.get("type"), str):
            raise _LostError("event exception has no valid type")
        if severity == 0:
            self.state = _CLEANUP

    def _alloc(self, _context: dict[str, Any]) -> None:
        if self.state is _SCHED:
            self.state = _RUN

    def _finish(self, _context: dict[str, Any]) -> None:
        if self.state is _RUN:
            self.state = _CLEANUP

    def _release(self, context: dict[str, Any]) -> None:
        if not isinstance(context.get("final"), bool):
            raise _LostError("event release has no valid final")

    def _clean(self, _context: dict[str, Any]) -> None:
        if self.state is _CLEANUP:
            self.state = _INACTIVE

    def _set_flags(self, context: dict[str, Any]) -> None:
        flags = context.get("flags")
        if "flags" not in context:
            raise _LostError("event set-flags has no flags")
        if isinstance(flags, list) and any(
            not isinstance(flag, str) or flag not in _FLAGS for flag in flags
        ):
            raise _LostError("event set-flags has a flag that Flux does not know")

    def _resource_update(self, context: dict[str, Any]) -> None:
        value = context.get("expiration")
        number = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
        if len(context) != 1 or not number:
            raise _LostError("event resource-update has not just an expiration")
        if not self._allocated:
            raise _LostError("event resource-update comes without R")

    def _update_jobspec(self, context: dict[str, Any]) -> None:
        for path, value in context.items():
            self._jobspec = _with(self._jobspec, path.split("."), value)
        _check_queue(self._jobspec)
        self._back()

    def _dependency(self, name: str, context: dict[str, Any]) -> None:
        if self.state not in (_NEW, _DEPEND):
            return
        description = context.get("description")
        if not isinstance(description, str):
            raise _LostError(f"event {name} has no valid description")
        if name == "dependency-add":
            if description not in self._waited_for:
                self._waits_for.add(description)
                self._waited_for.add(description)
        elif name == "dependency-remove":
            if description not in self._waits_for:
                raise _LostError(f"event {name} removes what is not there")
            self._waits_for.remove(description)
        else:
            raise _LostError(f"Flux does not know event {name}")

    def _epilog(self, name: str) -> bool:
        return name.startswith("epilog-") and self.state is _CLEANUP

    def _perilog(self, name: str) -> None:
        kind = name[len("prolog-") :]
        if kind not in ("start", "finish"):
            raise _LostError(f"Flux does not know event {name}")
        if kind == "start" and self._perilogs == _MAX_PERILOGS:
            raise _LostError(f"more than {_MAX_PERILOGS} prologs or epilogs run")
        self._perilogs = self._perilogs + 1 if kind == "start" else max(0, self._perilogs - 1)


_CHANGES: Final[dict[str, Callable[[_Manager, dict[str, Any]], None]]] = {
    "submit": _Manager._submit,
    "validate": _Manager._validate,
    "depend": _Manager._depend,
    "priority": _Manager._priority,
    "urgency": _Manager._urgency,
    "flux-restart": _Manager._back,
    "exception": _Manager._exception,
    "alloc": _Manager._alloc,
    "finish": _Manager._finish,
    "release": _Manager._release,
    "clean": _Manager._clean,
    "set-flags": _Manager._set_flags,
    "resource-update": _Manager._resource_update,
}


def _version(first: Entry) -> int:
    """The eventlog's version, -1 for none. Raises _LostError."""
    if first.name != "submit":
        raise _LostError(f"its first event is {first.name}, not submit")
    version = (first.context or {}).get("version", -1)
    if isinstance(version, bool) or not isinstance(version, int):
        return -1
    if version not in _VERSIONS:
        raise _LostError(f"version {version} of its eventlog is unknown")
    return version


def _with(value: Any, path: list[str], new: Any) -> Any:
    """The object with another value there."""
    if not path[0]:
        raise _LostError("event jobspec-update has a path that is none")
    if not isinstance(value, dict):
        raise _LostError("event jobspec-update leads through what is no object")
    if len(path) > 1:
        new = _with(value.get(path[0], {}), path[1:], new)
    return {**value, path[0]: new}


def _check_queue(jobspec: Any) -> None:
    """The one thing that job-manager reads of a jobspec."""
    value = jobspec
    for key in ("attributes", "system", "queue"):
        if not isinstance(value, dict):
            raise _LostError("not an object")
        if key not in value:
            return
        value = value[key]
    if not isinstance(value, str):
        raise _LostError("its queue is no text")


def _integer(event: str, context: dict[str, Any], key: str) -> int:
    value = context.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _LostError(f"event {event} has no valid {key}")
    return value


# job-list: it reads the events of every job that job-manager has, whatever the job's state.

_WANTS: Final[dict[str, dict[str, type]]] = {
    "submit": {"urgency": int, "userid": int},
    "priority": {"priority": int},
    "finish": {"status": int},
    "urgency": {"urgency": int},
    "exception": {"type": str, "severity": int, "note": str},
    "dependency-add": {"description": str},
    "dependency-remove": {"description": str},
}
_MAX_URGENCY = 31


def _list(entry: Entry) -> str:
    """Why job-list ends at this event, '' if it does not."""
    name, context = entry
    given = context or {}
    for key, kind in _WANTS.get(name, {}).items():
        if not _is(given.get(key), kind):
            return f"event {name} has no valid {key}"
    if name == "urgency" and not 0 <= given["urgency"] <= _MAX_URGENCY:
        return "event urgency is out of range"
    if name == "submit" and not _is(given.get("version", -1), int):
        return "event submit has no valid version"
    if name == "jobspec-update" and context is None:
        return "event jobspec-update has no context"
    if name == "annotations" and "annotations" not in given:
        return "event annotations has none"
    if name.startswith("dependency-") and name not in _WANTS:
        return f"Flux does not know event {name}"
    return ""


# Whose job a directory below `job` is: job-manager walks four levels, whatever their names.

_HEX = frozenset("0123456789abcdefABCDEF")
_LEVELS = 4


def strange_directory(path: list[str]) -> Refusal | None:
    """What Flux does with a directory below `job` that is not spelled as a job's; `path` is below.

    None when it passes it over.
    """
    for name in path[:_LEVELS]:
        if "." in name:
            return Refusal(Effect.NO_START, "", "no key can lead to this directory")
    if len(path) < _LEVELS:
        return None
    if all(_is_hex(name) for name in path[:_LEVELS]):
        return Refusal(Effect.LOST, "", "no job's directory is spelled like this")
    return Refusal(Effect.NO_START, "", "this directory is no job's")


def _is_hex(name: str) -> bool:
    """What sscanf takes for a hexadecimal number of at most four characters."""
    digits = name.lstrip("+-") if name[:1] in "+-" and name[1:2] not in "+-" else name
    digits = digits[2:] if digits[:2].lower() == "0x" else digits
    return 0 < len(name) <= 4 and bool(digits) and _HEX.issuperset(digits)


# What makes job-manager or the resource module end (ARCHITECTURE.md#F110).

_CHECKPOINT_VERSIONS = (0, 1)


def judge_checkpoint(data: bytes) -> Refusal | None:
    """Why job-manager ends at its own checkpoint; None if it does not.

    One whose max_jobid is missing it takes, with any number in its place.
    """
    try:
        value = decode(data)
        if isinstance(value, dict):
            _check_checkpoint(value)
    except ValueError as error:
        return Refusal(Effect.NO_START, "", str(error))
    return None


def _check_checkpoint(value: dict[str, Any]) -> None:
    version = value.get("version", 0)
    if not _is(version, int):
        return  # Flux (0.88) does not see that it could not read it, and reads no further
    if version > max(_CHECKPOINT_VERSIONS):
        raise ValueError(f"its version {version} is unknown")
    if not _is(value.get("max_jobid"), int) or "queue" not in value:
        return
    if version not in _CHECKPOINT_VERSIONS:
        raise ValueError(f"its version {version} is unknown")
    if not isinstance(value["queue"], list):
        raise ValueError("its queues are no list")
    for queue in value["queue"]:
        _check_queue_state(queue, version)


def _check_queue_state(queue: Any, version: int) -> None:
    if not isinstance(queue, dict):
        raise ValueError("a queue is not an object")
    for key in ("enable", "start") if version else ("enable",):
        if not isinstance(queue.get(key), bool):
            raise ValueError(f"a queue does not say {key}")
    for key in ("name", "disable_reason", "stop_reason" if version else "reason"):
        if key in queue and not isinstance(queue[key], str):
            raise ValueError(f"the {key} of a queue is no text")


def judge_resources(eventlog: bytes) -> Refusal | None:
    """Why the resource module ends at its eventlog; None if it does not."""
    found = _decoded(eventlog, Effect.NO_START)
    if isinstance(found, Refusal):
        return found
    old = any(name == "resource-init" for name, _ in found)  # before 0.62: they are rewritten
    for number, (name, context) in enumerate(found, start=1):
        if old or name not in ("drain", "undrain"):
            continue
        for key in ("idset", "nodelist"):
            if not isinstance((context or {}).get(key), str):
                reason = f"event {name} has no valid {key}"
                return Refusal(Effect.NO_START, f"{_EVENTLOG} line {number}", reason)
    return None


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
