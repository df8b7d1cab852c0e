"""The lines that the remote program says, as types. Whatever is no such line becomes Rubbish.

A container may print anything to the same stream (a profile script, a linker warning, half a line
before it dies), so nothing here raises.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PROTOCOL = 1
LINE_LIMIT = 256 * 1024 * 1024
_SHOWN = 200

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hello:
    """The first line. `now` and `started` are the cluster's clock, in seconds since the epoch."""

    protocol: int
    version: str
    size: int
    hostlist: str
    owner: int
    uid: int
    state: str
    now: float
    started: float
    statedir: str
    restore: str


@dataclass(frozen=True, slots=True)
class Beat:
    """Every few seconds, as long as the broker answers: its state, and the cluster's clock."""

    now: float
    state: str


@dataclass(frozen=True, slots=True)
class Mode:
    """How jobs are told: `journal`, or `poll` with the reason why."""

    mode: str
    why: str


@dataclass(frozen=True, slots=True)
class JobsPiece:
    """A deflated, base64 coded piece of job-list's answer (see flux.snapshot).

    `part`: only active jobs and those that ended since the last list.
    """

    data: str
    last: bool
    part: bool


@dataclass(frozen=True, slots=True)
class JobEvents:
    """Events of one job, in order, as the journal has them."""

    id: int
    events: tuple[Fields, ...]
    jobspec: Fields | None
    R: Fields | None


@dataclass(frozen=True, slots=True)
class ActiveJobs:
    """The jobs that were active when the journal began, by job-manager's own account."""

    ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something changed: `kind` is queues, stats, resources, overlay or trouble."""

    kind: str
    fact: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request: a result, or the error in Flux's words. `id` None: to no request."""

    id: int | None
    ok: bool
    result: Fields
    errno: int | None
    error: str


@dataclass(frozen=True, slots=True)
class Progress:
    """A request goes on."""

    id: int
    fields: Fields


@dataclass(frozen=True, slots=True)
class OutputLines:
    """Some eventlog lines (RFC 24) of the output that a `job.follow` asked for."""

    id: int
    event: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The program ends, because the broker is gone or was never there."""

    why: str


@dataclass(frozen=True, slots=True)
class Rubbish:
    """A line that is none of ours, shortened."""

    text: str


Message = (
    Hello
    | Beat
    | Mode
    | JobsPiece
    | JobEvents
    | ActiveJobs
    | Fact
    | Reply
    | Progress
    | OutputLines
    | Lost
    | Rubbish
)


class LineReader:
    """Cuts a byte stream into lines. A line over the limit is dropped up to its end."""

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._dropping = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete now, without their newlines; empty ones are left out."""
        *ends, rest = data.split(b"\n")
        lines = []
        for end in ends:
            self._keep(end)
            if not self._dropping and self._size:
                lines.append(b"".join(self._parts))
            self._parts, self._size, self._dropping = [], 0, False
        self._keep(rest)
        return lines

    def rest(self) -> bytes:
        """What came after the last newline."""
        return b"".join(self._parts)

    def _keep(self, data: bytes) -> None:
        if self._size + len(data) > self._limit:
            self._dropping, self._parts, self._size = True, [], 0
        if data and not self._dropping:
            self._parts.append(data)
            self._size += len(data)


def parse(line: bytes) -> Message:
    """The message of one line. Never raises."""
    try:
        fields = json.loads(line)
        return _PARSERS[fields["t"]](fields)
    except (ValueError, KeyError, TypeError, RecursionError):
        return Rubbish(line[: _SHOWN * 4].decode("utf-8", "replace")[:_SHOWN])


def _hello(fields: Fields) -> Hello:
    attributes = fields["attributes"]
    return Hello(
        protocol=int(fields["protocol"]),
        version=str(attributes["version"]),
        size=int(attributes["size"]),
        hostlist=str(attributes.get("hostlist", "")),
        owner=int(attributes.get("security.owner") or fields["uid"]),
        uid=int(fields["uid"]),
        state=str(fields["state"]),
        now=float(fields["now"]),
        started=float(attributes.get("broker.starttime") or 0),
        statedir=str(attributes.get("statedir", "")),
        restore=str(attributes.get("content.restore", "")),
    )


def _events(fields: Fields) -> JobEvents:
    events = tuple(fields["events"])
    for event in events:
        float(event["timestamp"])
        if not isinstance(event["name"], str):
            raise ValueError("an event without a name")
    return JobEvents(int(fields["id"]), events, fields.get("jobspec"), fields.get("R"))


def _reply(fields: Fields) -> Reply:
    result = fields.get("result") or {}
    return Reply(
        fields["id"], bool(fields["ok"]), result, fields.get("errno"), str(fields.get("error", ""))
    )


def _progress(fields: Fields) -> Progress:
    rest = {key: value for key, value in fields.items() if key not in ("t", "id")}
    return Progress(int(fields["id"]), rest)


def _fact(fields: Fields) -> Fact:
    return Fact(fields["t"], fields["fact"])


_PARSERS: dict[str, Callable[[Fields], Message]] = {
    "hello": _hello,
    "beat": lambda fields: Beat(float(fields["now"]), str(fields["state"])),
    "mode": lambda fields: Mode(str(fields["mode"]), str(fields["why"])),
    "jobs": lambda fields: JobsPiece(str(fields["z"]), bool(fields["last"]), bool(fields["part"])),
    "event": _events,
    "active": lambda fields: ActiveJobs(frozenset(map(int, fields["ids"]))),
    "queues": _fact,
    "stats": _fact,
    "resources": _fact,
    "overlay": _fact,
    "trouble": _fact,
    "reply": _reply,
    "progress": _progress,
    "output": lambda fields: OutputLines(int(fields["id"]), str(fields["event"])),
    "lost": lambda fields: Lost(str(fields["why"])),
}
