"""Byte streams between the processes of a simulated container."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from typing import Protocol

PIPE_SIZE = 65536
MOST_MEMORY = 64 << 20
"""What a program of the simulation may hold at once: it is the memory of its user's computer."""


def require_memory(size: int) -> None:
    """Raise OSError (ENOMEM) when so many bytes, characters or fields are too many."""
    if size > MOST_MEMORY:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


class Reader(Protocol):
    """Something to read from."""

    async def read(self, size: int = 65536) -> bytes:
        """Up to `size` bytes; b"" at the end."""
        ...


class Writer(Protocol):
    """Something to write to."""

    async def write(self, data: bytes) -> None:
        """Write all of it. BrokenPipeError when nobody reads any more."""
        ...


class BytesReader:
    """Bytes that are there already."""

    def __init__(self, data: bytes = b"") -> None:
        self._data = data

    async def read(self, size: int = 65536) -> bytes:
        """Up to `size` bytes; b"" at the end."""
        chunk, self._data = self._data[:size], self._data[size:]
        return chunk


class BytesWriter:
    """Collects what is written."""

    def __init__(self) -> None:
        self.data = bytearray()

    async def write(self, data: bytes) -> None:
        """Keep it. Raises OSError (ENOMEM)."""
        require_memory(len(self.data) + len(data))
        self.data += data


class NullWriter:
    """/dev/null."""

    async def write(self, data: bytes) -> None:
        """Forget it."""


class CallWriter:
    """Hands everything to a function, such as an open file's append."""

    def __init__(self, call: Callable[[bytes], None]) -> None:
        self._call = call

    async def write(self, data: bytes) -> None:
        """Call it with the bytes."""
        self._call(data)


class Pipe:
    """A bounded pipe: both a reader and a writer."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._closed = False
        self._broken = False
        self._changed = asyncio.Event()

    async def read(self, size: int = 65536) -> bytes:
        """Up to `size` bytes; b"" when the writing end is closed and all is read."""
        while not self._data and not self._closed:
            await self._wait()
        chunk = bytes(self._data[:size])
        del self._data[: len(chunk)]
        self._changed.set()
        return chunk

    async def write(self, data: bytes) -> None:
        """Blocks while the pipe is full. BrokenPipeError when the reader has gone."""
        while len(self._data) >= PIPE_SIZE and not self._broken:
            await self._wait()
        if self._broken:
            raise BrokenPipeError
        self._data += data
        self._changed.set()

    def close_writer(self) -> None:
        """No more will be written."""
        self._closed = True
        self._changed.set()

    def close_reader(self) -> None:
        """Nobody will read any more."""
        self._broken = True
        self._data.clear()
        self._changed.set()

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()


async def read_all(reader: Reader) -> bytes:
    """Everything up to the end. Raises OSError (ENOMEM)."""
    found = BytesWriter()
    while chunk := await reader.read(65536):
        await found.write(chunk)
    return bytes(found.data)


class LineReader:
    """Splits a reader into lines; never reads further than needed by one chunk."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._buffer = bytearray()
        self._ended = False

    async def readline(self) -> bytes:
        """One line with its newline (the last may lack it); b"" at the end."""
        while (end := self._buffer.find(b"\n")) < 0 and not self._ended:
            chunk = await self._reader.read(4096)
            self._ended = not chunk
            require_memory(len(self._buffer) + len(chunk))
            self._buffer += chunk
        take = len(self._buffer) if end < 0 else end + 1
        line = bytes(self._buffer[:take])
        del self._buffer[:take]
        return line

    async def read(self, size: int = 65536) -> bytes:
        """What a child process of the shell reads: the rest of the input."""
        if self._buffer:
            chunk = bytes(self._buffer[:size])
            del self._buffer[: len(chunk)]
            return chunk
        return b"" if self._ended else await self._reader.read(size)
