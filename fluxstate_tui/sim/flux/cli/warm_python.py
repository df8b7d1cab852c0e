"""Starting Python programs without starting Python: they are forked from a warm interpreter.

A new interpreter with what the remote program imports costs 70 ms of CPU, a fork 5.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_INTERPRETER = Path(__file__).with_name("warm_interpreter.py")
_LENGTH = struct.Struct("!I")
_LIMIT = 1 << 20


@dataclass(slots=True)
class Child:
    """A program that runs. Its standard streams are sockets."""

    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader
    _news: asyncio.StreamReader
    _pid: int
    _writers: tuple[asyncio.StreamWriter, ...]
    code: int | None = None

    async def wait(self) -> int:
        """Its exit code, negative for a signal."""
        if self.code is None:
            self.code = int(await self._news.readline() or -signal.SIGKILL)
        return self.code

    def close(self) -> None:
        """SIGKILL, unless it has ended."""
        if self.code is None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        for writer in self._writers:
            writer.close()


class _Interpreter:
    """The one warm interpreter of this process, started with the first program."""

    def __init__(self) -> None:
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def fork(self, request: bytes, descriptors: Sequence[int]) -> None:
        """Let it run a program. A dead interpreter is replaced."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            assert self._control is not None
            socket.send_fds(self._control, [_LENGTH.pack(len(request))], descriptors)
            self._control.sendall(request)

    def _start(self) -> None:
        self.close()
        self._control, theirs = socket.socketpair()
        with theirs:
            number = str(theirs.fileno())
            self._process = subprocess.Popen(
                [sys.executable, *("-I", "-S", "-B", "-u", "-X", "utf8"), _INTERPRETER, number],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self.close)

    def close(self) -> None:
        """It ends by itself when nobody can ask it any more."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.wait()
        self._control = self._process = None
        atexit.unregister(self.close)


_INTERPRETERS = _Interpreter()


async def start(
    arguments: Sequence[str], environment: dict[str, str], broker: socket.socket
) -> Child:
    """Run a program: the folder of the bindings, its text, then its own arguments.

    `broker` is the socket that it finds at the number `FLUXSTATE_SIM_FD`.
    """
    pairs = [socket.socketpair() for _ in range(4)]
    try:
        request = json.dumps({"arguments": arguments, "environment": environment}).encode()
        theirs = [pair[1].fileno() for pair in pairs]
        descriptors = [*theirs[:3], broker.fileno(), theirs[3]]
        _INTERPRETERS.fork(request, descriptors)
    finally:
        for pair in pairs:
            pair[1].close()
    streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    try:
        for ours, _ in pairs:
            streams.append(await asyncio.open_connection(sock=ours, limit=_LIMIT))
        (_, stdin), (stdout, _), (stderr, _), (news, _) = streams
        pid = int(await news.readline())
    except BaseException:
        for _, writer in streams:
            writer.close()
        for ours, _ in pairs[len(streams) :]:
            ours.close()
        raise
    return Child(stdin, stdout, stderr, news, pid, tuple(writer for _, writer in streams))
