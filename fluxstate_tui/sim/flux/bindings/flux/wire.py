"""The way to the simulated broker: JSON lines over a socket that the parent left open."""

from __future__ import annotations

import errno
import json
import os
import socket
import time
from collections.abc import Callable
from typing import Any

ENDPOINT = "FLUXSTATE_SIM_FD"
VERSION = "FLUXSTATE_SIM_VERSION"

Message = dict[str, Any]


def core_version() -> tuple[int, ...]:
    """Which flux-core this stands in for."""
    return tuple(int(part) for part in os.environ.get(VERSION, "0.88.0").split("."))


class Wire:
    """Numbered requests out, numbered answers in. There is one per process."""

    def __init__(self) -> None:
        number = os.environ.pop(ENDPOINT, "")
        if not number:
            raise OSError(errno.ENOENT, "this Python was not started by `flux python`")
        self._socket = socket.socket(fileno=int(number))
        self._buffer = b""
        self._next = 1
        self._takers: dict[int, Callable[[Message], None]] = {}
        self.lost = False
        self._now = time.time()
        self._read_at = time.monotonic()
        self._speed = 1.0

    def fileno(self) -> int:
        """For select."""
        return self._socket.fileno()

    def now(self) -> float:
        """The container's clock: what the broker said last, and what has passed since."""
        return self._now + (time.monotonic() - self._read_at) * self._speed

    def send(self, request: Message, take: Callable[[Message], None] | None) -> int:
        """Send a request; `take` gets every answer to it. ECONNRESET when the broker is gone."""
        number, self._next = self._next, self._next + 1
        if self.lost:
            raise OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        if take is not None:
            self._takers[number] = take
        line = json.dumps({"id": number, **request}).encode() + b"\n"
        try:
            self._socket.sendall(line)
        except OSError:
            self._end()
        return number

    def forget(self, number: int) -> None:
        """No more answers are wanted."""
        self._takers.pop(number, None)

    def read(self) -> None:
        """Take what has come; blocks until there is something."""
        try:
            data = self._socket.recv(1 << 20)
        except OSError:
            data = b""
        if not data:
            self._end()
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._dispatch(json.loads(line))

    def call(self, request: Message) -> Message:
        """Send and wait for the one answer. OSError when it is an error."""
        answers: list[Message] = []
        self.send(request, answers.append)
        while not answers:
            self.read()
        return check(answers[0])

    def _dispatch(self, message: Message) -> None:
        self._now = message.get("now", self._now)
        self._speed = message.get("speed", self._speed)
        self._read_at = time.monotonic()
        number = message["id"]
        taker = self._takers.get(number)
        if not message.get("more"):
            self._takers.pop(number, None)
        if taker is not None:
            taker(message)

    def _end(self) -> None:
        self.lost = True
        takers, self._takers = self._takers, {}
        failure = {"errno": errno.ECONNRESET, "text": os.strerror(errno.ECONNRESET)}
        for number, taker in takers.items():
            taker({"id": number, **failure})


def check(message: Message) -> Message:
    """The answer's content. OSError when it is an error."""
    if "errno" in message:
        number = int(message["errno"])
        raise OSError(number, message.get("text") or os.strerror(number))
    return message


_WIRES: list[Wire] = []


def wire() -> Wire:
    """This process's connection."""
    if not _WIRES:
        _WIRES.append(Wire())
    return _WIRES[0]
