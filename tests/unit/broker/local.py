"""A container that is this computer: runs argv as local processes, the way kube.Cluster does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from fluxstate_tui.broker.session import SessionLost
from fluxstate_tui.kube.exec import ExecResult


class LocalStream:
    """A running local process with the interface of kube.exec.ExecStream."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._chunks: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        self._pumps = [
            asyncio.create_task(self._pump(1, process.stdout)),
            asyncio.create_task(self._pump(2, process.stderr)),
        ]
        self._exit_code: int | None = None
        self.cut = False

    @property
    def exit_code(self) -> int | None:
        return self._exit_code

    async def read(self) -> tuple[int, bytes] | None:
        while True:
            if self.cut:
                raise SessionLost("the connection was cut")
            if self._chunks.empty() and all(pump.done() for pump in self._pumps):
                self._exit_code = await self._process.wait()
                return None
            chunk = await self._chunks.get()
            if chunk is not None:
                return chunk

    async def write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        with suppress(ConnectionError):
            await self._process.stdin.drain()

    async def close_stdin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def end(self) -> None:
        """What the kubelet does when the connection ends: stdin closes; then wait."""
        await self.close_stdin()
        try:
            await asyncio.wait_for(self._process.wait(), 5)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await asyncio.gather(*self._pumps)

    def break_connection(self) -> None:
        """As if the network failed: the reader sees an error, not an end."""
        self.cut = True
        self._chunks.put_nowait(None)

    async def _pump(self, channel: int, pipe: asyncio.StreamReader | None) -> None:
        assert pipe is not None
        while data := await pipe.read(65536):
            self._chunks.put_nowait((channel, data))
        self._chunks.put_nowait(None)


class LocalExecutor:
    """Runs everything here, in the environment that it is given; remembers its streams."""

    read_only = False

    def __init__(self, environment: Mapping[str, str] | None = None, shell: str = "") -> None:
        self.environment = {**os.environ, **(environment or {})}
        self._shell = shell
        self.streams: list[LocalStream] = []
        self.commands: list[list[str]] = []

    def _argv(self, argv: Sequence[str]) -> list[str]:
        words = list(argv)
        self.commands.append(words)
        if self._shell and words[0] == "/bin/sh":
            words[0] = self._shell
        return words

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float | None = None,
        only_reads: bool = False,
    ) -> ExecResult:
        process = await asyncio.create_subprocess_exec(
            *self._argv(argv),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment,
        )
        output, errors = await asyncio.wait_for(process.communicate(stdin or b""), timeout)
        assert process.returncode is not None
        return ExecResult(process.returncode, output, errors)

    @asynccontextmanager
    async def exec_stream(
        self,
        namespace: str,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        only_reads: bool = False,
    ) -> AsyncIterator[LocalStream]:
        process = await asyncio.create_subprocess_exec(
            *self._argv(argv),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment,
        )
        stream = LocalStream(process)
        self.streams.append(stream)
        try:
            yield stream
        finally:
            await stream.end()
