"""One run of a container: its machine, its log, its PID 1 and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from fluxstate_tui.sim.api.runtime import CommandMissingError, LogFile, ProcessStreams
from fluxstate_tui.sim.machine import CommandNotFound, Machine

KILLED = 137
NOT_FOUND = 127
_LONGEST_LINE = 16384  # as container runtimes split them

Entrypoint = Callable[["Container"], Awaitable[int]]


class LogWriter:
    """Streams of PID 1: nothing to read, everything written goes to the log."""

    def __init__(self, log: LogFile, now: Callable[[], float]) -> None:
        self._log = log
        self._now = now
        self._rest = b""

    async def read(self, size: int) -> bytes:
        """stdin is never fed and never closed."""
        await asyncio.Event().wait()
        return b""

    async def write_out(self, data: bytes) -> None:
        """Whole lines go to the log as they come."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._log.write(self._now(), line.decode(errors="replace") or " ")
        if len(self._rest) > _LONGEST_LINE:
            self.flush()

    async def write_err(self, data: bytes) -> None:
        """The log does not tell the streams apart."""
        await self.write_out(data)

    def flush(self) -> None:
        """The last line may lack its end."""
        if self._rest:
            self._log.write(self._now(), self._rest.decode(errors="replace"))
            self._rest = b""


class Container:
    """A running container. `entrypoint` is what its PID 1 does; its result is the exit code."""

    def __init__(self, machine: Machine, log: LogFile, entrypoint: Entrypoint) -> None:
        self.machine = machine
        self.log = log
        self._died = asyncio.Event()
        self._entrypoint = entrypoint
        self._task: asyncio.Task[int] | None = None
        self._killed = False

    @property
    def died(self) -> asyncio.Event:
        """Set when PID 1 is gone."""
        return self._died

    async def run(self, argv: list[str], streams: ProcessStreams, *, tty: bool) -> int:
        """Run a program beside PID 1. Raises CommandMissingError."""
        try:
            return await self.machine.run(argv, streams, tty=tty)
        except CommandNotFound as missing:
            raise CommandMissingError(missing.command) from None

    async def live(self) -> int:
        """Run PID 1 to its end; the exit code (137 when it was killed)."""
        self._task = asyncio.ensure_future(self._main())
        try:
            await asyncio.wait([self._task])
        except asyncio.CancelledError:
            self._task.cancel()
            await asyncio.wait([self._task])
            raise
        finally:
            self._died.set()
            self.log.close()
        if self._task.cancelled():
            return KILLED
        return self._task.result()

    async def _main(self) -> int:
        return await self._entrypoint(self)

    def kill(self) -> None:
        """SIGKILL to PID 1."""
        if self._task is not None:
            self._task.cancel()


def run_command(argv: list[str], now: Callable[[], float]) -> Entrypoint:
    """The entrypoint of a plain container: its command (a shell when it has none)."""

    async def entrypoint(container: Container) -> int:
        writer = LogWriter(container.log, now)
        try:
            return await container.machine.run(argv, writer)
        except CommandNotFound as missing:
            container.log.write(now(), str(missing))
            return NOT_FOUND
        finally:
            writer.flush()

    return entrypoint
