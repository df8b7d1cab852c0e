"""The lines that the remote program says, as types. Whatever is no such line becomes Rubbish.

A container may print anything to the same stream (a profile script, a linker warning, half a line
before it dies), so nothing here raises.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

PROTOCOL = 2
LINE_LIMIT = 64 * 1024 * 1024
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


@dataclass(frozen=True, slots=True)
class Beat:
    """Every few seconds, as long as the broker answers: its state, and the cluster's clock."""

    now: float
    state: str


@dataclass(frozen=True, slots=True)
class Mode:
    """How jobs are told: `journal`, or `poll` with the reason why.

    `active` are the jobs that were active when the journal began, by job-manager's own account;
    None where it does not say.
    """

    mode: str
    why: str
    active: frozenset[int] | None


@dataclass(frozen=True, slots=True)
class JobsPiece:
    """A deflated, base64 coded piece of job-list's answer (see flux.snapshot).

    `part`: only active jobs and those that ended since the time that was asked for. `now` is the
    cluster's clock when it was asked, in seconds since the epoch.
    """

    data: str
    last: bool
    part: bool
    now: float


@dataclass(frozen=True, slots=True)
class JobEvents:
    """Events of one job, in order, as the journal has them."""

    id: int
    events: tuple[Fields, ...]
    jobspec: Fields | None
    R: Fields | None


@dataclass(frozen=True, slots=True)
class Fact:
    """Something changed: `kind` is queues, stats or resources. Or it cannot be had: `error`."""

    kind: str
    fact: Any
    error: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request: a result, or the error in Flux's words. `id` None: to no request.

    `now` is the cluster's clock, 0.0 with an error.
    """

    id: int | None
    ok: bool
    result: Fields
    errno: int | None
    error: str
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class More:
    """One of the answers of a stream, or something that a running program printed."""

    id: int
    value: Any


@dataclass(frozen=True, slots=True)
class Lost:
    """The program ends, because the broker is gone or was never there."""

    why: str


@dataclass(frozen=True, slots=True)
class UnknownMessage:
    """A line that is none of ours, shortened."""

    text: str


Message = Hello | Beat | Mode | JobsPiece | JobEvents | Fact | Reply | More | Lost | UnknownMessage


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
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return UnknownMessage(line[: _SHOWN * 4].decode("utf-8", "replace")[:_SHOWN])


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
    )


def _events(fields: Fields) -> JobEvents:
    events = tuple(fields["events"])
    for event in events:
        float(event["timestamp"])
        if not isinstance(event["name"], str):
            raise ValueError("an event without a name")
    return JobEvents(int(fields["id"]), events, fields.get("jobspec"), fields.get("R"))


def _mode(fields: Fields) -> Mode:
    active = fields["active"]
    ids = None if active is None else frozenset(map(int, active))
    return Mode(str(fields["mode"]), str(fields["why"]), ids)


def _jobs(fields: Fields) -> JobsPiece:
    last, part = bool(fields["last"]), bool(fields["part"])
    return JobsPiece(str(fields["z"]), last, part, float(fields["now"]))


def _reply(fields: Fields) -> Reply:
    return Reply(
        id=None if fields["id"] is None else int(fields["id"]),
        ok=bool(fields["ok"]),
        result=fields.get("result") or {},
        errno=fields.get("errno"),
        error=str(fields.get("error", "")),
        now=float(fields.get("now", 0.0)),
    )


def _fact(fields: Fields) -> Fact:
    if "error" in fields:
        return Fact(fields["t"], None, str(fields["error"]))
    return Fact(fields["t"], fields["fact"])


_PARSERS: dict[str, Callable[[Fields], Message]] = {
    "hello": _hello,
    "beat": lambda fields: Beat(float(fields["now"]), str(fields["state"])),
    "mode": _mode,
    "jobs": _jobs,
    "event": _events,
    "queues": _fact,
    "stats": _fact,
    "resources": _fact,
    "reply": _reply,
    "more": lambda fields: More(int(fields["id"]), fields["value"]),
    "lost": lambda fields: Lost(str(fields["why"])),
}


# Requests on their way: each has a number, and waits for its one reply.

Listener = Callable[[Any], None]


class Pending:
    """The requests of one conversation."""

    def __init__(self) -> None:
        self._replies: dict[int, asyncio.Future[Reply]] = {}
        self._listeners: dict[int, Listener] = {}
        self._last = 0

    def line(self, do: str, args: dict[str, Any]) -> tuple[int, bytes]:
        """A new request: its number, and the line that makes it."""
        self._last += 1
        fields = {"id": self._last, "do": do, **args}
        return self._last, json.dumps(fields).encode("ascii") + b"\n"

    def expect(self, number: int, listen: Listener | None) -> asyncio.Future[Reply]:
        """The reply to come; `listen` gets what comes before it."""
        if listen is not None:
            self._listeners[number] = listen
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._replies[number] = future
        return future

    def forget(self, number: int) -> None:
        """Nobody waits for it any more."""
        self._replies.pop(number, None)
        self._listeners.pop(number, None)

    def take(self, message: Reply | More) -> None:
        """Hand it to whoever waits for it."""
        if isinstance(message, More):
            listen = self._listeners.get(message.id)
            if listen is not None:
                listen(message.value)
            return
        future = self._replies.get(message.id or 0)
        if future is not None and not future.done():
            future.set_result(message)

    def fail(self, error: Exception) -> None:
        """No reply comes any more."""
        for future in self._replies.values():
            if not future.done():
                future.set_exception(error)


# What a conversation runs over: a program in a container, with its streams.

STDOUT_CHANNEL = 1


class Stream(Protocol):
    """A running program: see kube.exec.ExecStream."""

    @property
    def exit_code(self) -> int | None:
        """None as long as it runs."""
        ...

    async def read(self) -> tuple[int, bytes] | None:
        """The next (channel, bytes); None at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """To its stdin."""
        ...

    async def close_stdin(self) -> None:
        """No more input comes."""
        ...


class StreamExecutor(Protocol):
    """What starts a program in a container: kube.session.Cluster."""

    @property
    def read_only(self) -> bool:
        """Whether anything may be changed."""
        ...

    def exec_stream(
        self,
        namespace: str,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        only_reads: bool = False,
    ) -> AbstractAsyncContextManager[Stream]:
        """See kube.session.Cluster.exec_stream."""
        ...
