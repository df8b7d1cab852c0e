"""The terminal (or the plain streams) between an exec and its process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fluxstate_tui.sim.machine import ProcessIO


EXIT_KILLED = 137


class _Killed(Exception):  # noqa: N818
    """The process is dead: a switched-on fault."""


class _In:
    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    async def read(self, size: int = 65536) -> bytes:
        return await self._terminal.read(size)


class _Out:
    def __init__(self, terminal: Terminal, *, error: bool) -> None:
        self._terminal = terminal
        self._error = error

    async def write(self, data: bytes) -> None:
        await self._terminal.write(data, error=self._error)


class Terminal:
    """Streams of a process. With a tty: echo, line editing, one output, `\\n` as `\\r\\n`."""

    def __init__(self, io: ProcessIO, *, tty: bool, die_after: int | None = None) -> None:
        self._io = io
        self._tty = tty
        self._die_after = die_after
        self._written = 0
        self._line = bytearray()
        self._ready = bytearray()
        self._eof = False
        self.stdin = _In(self)
        self.stdout = _Out(self, error=False)
        self.stderr = _Out(self, error=True)

    async def run(self, process: Coroutine[None, None, int]) -> int:
        """Let the process run on these streams; 137 when a fault killed it."""
        try:
            return await process
        except _Killed:
            return EXIT_KILLED

    async def write(self, data: bytes, *, error: bool = False) -> None:
        """What the process writes."""
        if self._die_after is not None:
            data = data[: max(0, self._die_after - self._written)]
        self._written += len(data)
        if self._tty:
            await self._io.write_out(data.replace(b"\n", b"\r\n"))
        elif error:
            await self._io.write_err(data)
        else:
            await self._io.write_out(data)
        if self._die_after is not None and self._written >= self._die_after:
            raise _Killed
        await asyncio.sleep(0)

    async def read(self, size: int) -> bytes:
        """What the process reads: whole lines from a tty, anything from a pipe."""
        if not self._tty:
            return await self._io.read(size)
        while not self._ready and not self._eof:
            data = await self._io.read(4096)
            if not data:
                return b""
            for byte in data:
                await self._key(byte)
        self._eof = False if self._ready else self._eof
        chunk = bytes(self._ready[:size])
        del self._ready[: len(chunk)]
        if not chunk:
            self._eof = False
        return chunk

    async def _key(self, byte: int) -> None:
        if byte in (10, 13):
            await self._io.write_out(b"\r\n")
            self._ready += self._line + b"\n"
            self._line.clear()
        elif byte == 4:
            self._ready += self._line
            self._eof = not self._line
            self._line.clear()
        elif byte == 3:
            await self._io.write_out(b"^C\r\n")
            self._line.clear()
            self._ready += b"\n"
        elif byte in (8, 127):
            if self._line:
                del self._line[-1]
                await self._io.write_out(b"\b \b")
        else:
            self._line.append(byte)
            await self._io.write_out(bytes([byte]))
