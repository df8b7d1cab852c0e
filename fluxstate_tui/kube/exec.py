"""Commands in containers over a websocket (KEP-4006: v5.channel.k8s.io, v4 accepted).

Frames: the first byte is the channel (0 stdin, 1 stdout, 2 stderr, 3 status, 255 half-close), the
rest are bytes. The status on channel 3 is mandatory here: a stream that ends without it has an
unknown outcome, never a good one (kubernetes#124571).
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from fluxstate_tui.kube.errors import ExecError, ExecUnknown, exit_code_of, refused_handshake
from fluxstate_tui.kube.objects import PODS
from fluxstate_tui.kube.transport import HandshakeRefused, Transport

if TYPE_CHECKING:
    _WebSocket = aiohttp.ClientWebSocketResponse[bool]

STDIN, STDOUT, STDERR, STATUS, CLOSE = 0, 1, 2, 3, 255
V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
_FRAME = 32 * 1024
_CLOSING_SECONDS = 5.0
MOST_OUTPUT = 256 << 20  # of a command that runs to its end, as of a line of a remote program
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What a command left: its exit code (0-255; 137 when it was killed) and its output."""

    code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class ExecCall:
    """One command in one container. `only_reads` lets it through --read-only."""

    namespace: str
    pod: str
    container: str
    argv: tuple[str, ...]
    only_reads: bool = False

    @property
    def shown(self) -> str:
        """The command for messages: quoted, and cut if it is a whole program."""
        text = shlex.join(self.argv)
        return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


class ExecStream:
    """A running command. Read until `read()` gives None; then `exit_code` is known."""

    def __init__(self, socket: _WebSocket, call: ExecCall, heard: Callable[[], None]) -> None:
        self._socket = socket
        self._heard = heard
        self._call = call
        self._code: int | None = None

    @property
    def exit_code(self) -> int | None:
        """The exit code, None as long as the command runs."""
        return self._code

    @property
    def can_close_stdin(self) -> bool:
        """v4 has no half-close: the command would wait for more input for ever."""
        return self._socket.protocol == V5

    @property
    def shown(self) -> str:
        """The command for messages."""
        return self._call.shown

    async def read(self) -> tuple[int, bytes] | None:
        """The next (channel, bytes) of stdout (1) or stderr (2); None when the command has ended.

        Raises ExecUnknown if the stream ends without a status, ExecError if nothing was run.
        """
        while self._code is None:
            message = await self._socket.receive()
            if message.type is not aiohttp.WSMsgType.BINARY:
                raise ExecUnknown(self._call.shown, self._why_it_ended(message.type, message.data))
            self._heard()
            frame: bytes = message.data
            if len(frame) <= 1:
                continue  # The first frame is always an empty one on channel 1.
            if frame[0] == STATUS:
                self._code = exit_code_of(frame[1:], self._call.shown)
            elif frame[0] in (STDOUT, STDERR):
                return frame[0], frame[1:]
        return None

    async def write(self, data: bytes) -> None:
        """Send bytes to its stdin. Raises ExecUnknown if the connection is gone."""
        try:
            for start in range(0, len(data), _FRAME):
                await self._socket.send_bytes(bytes([STDIN]) + data[start : start + _FRAME])
        except (aiohttp.ClientError, ConnectionError) as error:
            raise ExecUnknown(self._call.shown, "the connection broke while writing") from error

    async def close_stdin(self) -> None:
        """Tell the command that no more input comes. Raises ExecError under v4."""
        if not self.can_close_stdin:
            raise ExecError(
                "This API server cannot close a command's input (it speaks exec v4 only).",
                safe="The command was cut off.",
                advice="Kubernetes >= 1.30 can.",
            )
        try:
            await self._socket.send_bytes(bytes([CLOSE, STDIN]))
        except (aiohttp.ClientError, ConnectionError) as error:
            raise ExecUnknown(self._call.shown, "the connection broke while writing") from error

    def _why_it_ended(self, kind: aiohttp.WSMsgType, data: object) -> str:
        if kind is aiohttp.WSMsgType.ERROR:
            return f"the connection broke ({self._socket.exception() or data})"
        return f"the stream ended without a status (close code {self._socket.close_code})"


@asynccontextmanager
async def open_exec(transport: Transport, call: ExecCall) -> AsyncIterator[ExecStream]:
    """Start a command. Leaving the block closes the connection (the command may run on)."""
    path = PODS.path(call.namespace, call.pod, "exec")
    # stdin is always asked for: without it some runtimes cut the output short and still say
    # Success, and v4 with a tty loses it (ARCHITECTURE.md#F89, ARCHITECTURE.md#F87).
    params = [("command", word) for word in call.argv]
    params += [("container", call.container), ("stdin", "true")]
    params += [("stdout", "true"), ("stderr", "true"), ("tty", "false")]
    try:
        socket = await transport.websocket(path, params, (V5, V4), only_reads=call.only_reads)
    except HandshakeRefused as refusal:
        raise refused_handshake(
            path,
            refusal.status,
            refusal.body,
            pod=call.pod,
            container=call.container,
            headers=refusal.headers,
        ) from refusal
    try:
        if socket.protocol not in (V5, V4):
            raise ExecUnknown(call.shown, "the server speaks none of our exec protocols")
        yield ExecStream(socket, call, transport.heard)
    finally:
        # aiohttp's own time limit begins anew with each message that still comes.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS):
                await socket.close()


async def run_exec(
    transport: Transport, call: ExecCall, stdin: bytes | None, timeout: float | None
) -> ExecResult:
    """Run a command to its end. `stdin=None` leaves its input open, b'' ends it at once.

    `timeout` is in seconds; afterwards the outcome is unknown, for the command may run on.
    """
    await transport.authenticate()  # somebody may have to log in, which is no time of the command
    try:
        async with asyncio.timeout(timeout), open_exec(transport, call) as stream:
            if stdin is None:
                return await _collect(stream)
            return await _feed_and_collect(stream, stdin)
    except TimeoutError as error:
        raise ExecUnknown(call.shown, f"it did not end within {timeout:g} s") from error


async def _collect(stream: ExecStream) -> ExecResult:
    out: dict[int, list[bytes]] = {STDOUT: [], STDERR: []}
    size = 0
    while (chunk := await stream.read()) is not None:
        size += len(chunk[1])
        if size > MOST_OUTPUT:
            raise ExecUnknown(stream.shown, f"it answered with more than {MOST_OUTPUT:,} bytes")
        out[chunk[0]].append(chunk[1])
    assert stream.exit_code is not None
    return ExecResult(stream.exit_code, b"".join(out[STDOUT]), b"".join(out[STDERR]))


async def _feed_and_collect(stream: ExecStream, stdin: bytes) -> ExecResult:
    if not stream.can_close_stdin:
        await stream.close_stdin()
    feeder = asyncio.create_task(_feed(stream, stdin))
    try:
        return await _collect(stream)
    finally:
        # A command may end without reading all its input, so what the reader saw decides.
        feeder.cancel()
        await asyncio.gather(feeder, return_exceptions=True)


async def _feed(stream: ExecStream, stdin: bytes) -> None:
    await stream.write(stdin)
    await stream.close_stdin()
