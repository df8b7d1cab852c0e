"""What the API server asks of the kubelet: processes and logs inside containers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol


class CommandMissingError(Exception):
    """The program does not exist in the container (`argv[0]` is in args[0])."""


class ProcessStreams(Protocol):
    """Standard streams of a process (fluxstate_tui.sim.machine.ProcessIO has the same shape)."""

    async def read(self, n: int) -> bytes:
        """Up to n bytes of stdin; b"" at its end."""
        ...

    async def write_out(self, data: bytes) -> None:
        """Write to stdout."""
        ...

    async def write_err(self, data: bytes) -> None:
        """Write to stderr."""
        ...


class RunningContainer(Protocol):
    """A container that runs now."""

    @property
    def died(self) -> asyncio.Event:
        """Set when the container's PID 1 is gone."""
        ...

    async def run(self, argv: list[str], streams: ProcessStreams, *, tty: bool) -> int:
        """Run a program; its exit code. Raises CommandMissingError; cancelling kills it."""
        ...


MOST_LOG = 64 << 20
"""What a container's log may have: it is the memory of this computer."""
_LINE = 64  # bytes of an entry besides its text


@dataclass(slots=True)
class LogFile:
    """One container's output: (time, line) pairs, and whether the container still runs."""

    lines: list[tuple[float, str]] = field(default_factory=list)
    closed: bool = False
    _waiters: list[asyncio.Future[None]] = field(default_factory=list)
    _size: int = 0

    def write(self, at: float, text: str) -> None:
        """Append the lines of `text`; when there are too many, none any more, as on a full disk."""
        if self._size > MOST_LOG:
            return
        for line in text.splitlines():
            self._size += len(line) + _LINE
            self.lines.append((at, line))
        if self._size > MOST_LOG:
            self.lines.append((at, f"[simulation: the log ends here, over {MOST_LOG} bytes]"))
        self._wake()

    def close(self) -> None:
        """The container has ended."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def changed(self) -> None:
        """Return at the next line or at the end."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter


class ContainerRuntime(Protocol):
    """Finds containers by pod."""

    def running(self, namespace: str, pod: str, container: str) -> RunningContainer | None:
        """The running container, or None when it waits or has ended."""
        ...

    def log(self, namespace: str, pod: str, container: str, *, previous: bool) -> LogFile | None:
        """The log of the present (or previous) run, or None if there was none."""
        ...
