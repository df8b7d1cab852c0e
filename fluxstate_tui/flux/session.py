"""A conversation with the remote program in the lead container: requests, and what it tells.

It runs over anything that executes a program there: `kube.session.Cluster` in earnest, a local
process to try it on a Flux of one's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Protocol

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.flux.command import FluxFailed
from fluxstate_tui.flux.endpoint import Endpoint
from fluxstate_tui.flux.protocol import (
    PROTOCOL,
    Hello,
    LineReader,
    Lost,
    Message,
    OutputLines,
    Progress,
    Reply,
    parse,
)
from fluxstate_tui.flux.remote import BOOTSTRAP, program_line

START_TIMEOUT = 30.0
REQUEST_TIMEOUT = 30.0
LONG_TIMEOUT = 3600.0
_BACKLOG = 20_000  # messages that wait for their reader before the stream has to wait
_STDERR = 4096
_STDOUT_CHANNEL = 1

_READS = frozenset({"ping", "watch", "relist", "queue.status", "stats", "resources", "jobs.list"})
_READS |= {"job.get", "job.info", "job.follow", "job.unfollow", "kvs.get", "kvs.state", "file.stat"}
_LONG = frozenset({"dump", "job.follow", "file.stat"})


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


class SessionLost(FluxstateError):
    """The conversation ended. What was asked and not answered has an unknown outcome."""

    exit_code = ExitCode.UNKNOWN


class CannotStart(FluxstateError):
    """The remote program did not come up; `code` is its exit code (3: no Python bindings)."""

    exit_code = ExitCode.NO_CONNECTION

    def __init__(self, why: str, code: int | None) -> None:
        super().__init__(
            f"Flux in the lead container cannot be asked: {why}.", safe="Nothing was changed."
        )
        self.why = why
        self.code = code

    @property
    def no_bindings(self) -> bool:
        """Flux itself may be there, but not its Python: only its commands can be used."""
        words = ("not a flux command", "No module named", "SyntaxError")
        return self.code in (3, 126, 127) or any(word in self.why for word in words)


class FluxSession:
    """Requests go in, messages come out, until the block is left."""

    def __init__(self, stream: Stream, read_only: bool) -> None:
        self._stream = stream
        self._read_only = read_only
        self._hello: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self._room = asyncio.Event()
        self._lost = ""
        self._replies: dict[int, asyncio.Future[Reply]] = {}
        self._listeners: dict[int, Callable[[Message], None]] = {}
        self._number = 0
        self._stderr = b""
        self._ended: FluxstateError | None = None
        self.watching = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls, executor: StreamExecutor, endpoint: Endpoint, *, timeout: float = START_TIMEOUT
    ) -> AsyncIterator[FluxSession]:
        """Start the program and wait for its hello. Raises CannotStart, or a KubeError."""
        argv = endpoint.flux_argv(["python", "-u", "-c", BOOTSTRAP])
        place = (endpoint.namespace, endpoint.pod, endpoint.container)
        async with executor.exec_stream(*place, argv, only_reads=True) as stream:
            session = cls(stream, executor.read_only)
            reader = asyncio.create_task(session._read())
            try:
                await session._start(timeout)
                yield session
            finally:
                await session._close(reader)

    @property
    def hello(self) -> Hello:
        """What the program said first."""
        return self._hello.result()

    async def request(
        self,
        do: str,
        *,
        timeout: float | None = None,
        listen: Callable[[Message], None] | None = None,
        **args: Any,
    ) -> dict[str, Any]:
        """Ask for something of flux/remote/table.py, and return its result.

        `timeout` is in seconds. `listen` is called with Progress and OutputLines of this request.
        Raises FluxFailed when Flux refuses, SessionLost when there is no answer (the outcome of a
        change is then unknown), FluxstateError (exit 5) for a change under --read-only.
        """
        if self._read_only and do not in _READS:
            raise FluxstateError(
                f"'{do}' would change the MiniCluster, and this is --read-only.",
                safe="Nothing was sent.",
                exit_code=ExitCode.REFUSED,
            )
        if self._ended is not None:
            raise self._ended
        self._number += 1
        number = self._number
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._replies[number] = future
        if listen is not None:
            self._listeners[number] = listen
        line = json.dumps({"id": number, "do": do, "args": args}).encode("ascii") + b"\n"
        if timeout is None:
            timeout = LONG_TIMEOUT if do in _LONG else REQUEST_TIMEOUT
        try:
            async with asyncio.timeout(timeout):
                await self._stream.write(line)
                reply = await future
        except TimeoutError:
            raise SessionLost(
                f"The remote program did not answer '{do}' within {timeout:g} s.",
                safe="It may have been carried out or not.",
                advice="Look at its effect before you repeat it.",
            ) from None
        except asyncio.CancelledError:
            if do == "job.follow" and self._ended is None:
                await self._unfollow(number)
            raise
        finally:
            self._replies.pop(number, None)
            self._listeners.pop(number, None)
        if not reply.ok:
            raise FluxFailed(do, reply.error, errno=reply.errno)
        return reply.result

    async def watch(self) -> None:
        """From now on `messages` brings jobs, queues, resources and the broker's state."""
        self.watching = True
        await self.request("watch")

    async def message(self) -> Message:
        """The next message. Raises SessionLost (or a KubeError) at the end of the conversation."""
        message = await self._messages.get()
        self._room.set()
        if message is None:
            self._messages.put_nowait(None)
            raise self._ended or SessionLost("The conversation was closed.")
        return message

    def waiting(self) -> int:
        """How many messages are there already."""
        return self._messages.qsize()

    # -- the stream ---------------------------------------------------------------------------

    async def _start(self, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._stream.write(program_line())
                hello = await asyncio.shield(self._hello)
        except TimeoutError:
            said = self._said()
            why = f"no word from it within {timeout:g} s" + (f" ({said})" if said else "")
            raise CannotStart(why, None) from None
        if hello.protocol != PROTOCOL:
            raise CannotStart(f"it speaks protocol {hello.protocol}, we {PROTOCOL}", None)

    async def _unfollow(self, followed: int) -> None:
        """Nobody listens to that `job.follow` any more; its reply is not waited for."""
        self._number += 1
        wanted = {"id": self._number, "do": "job.unfollow", "args": {"request": followed}}
        with contextlib.suppress(FluxstateError):
            await self._stream.write(json.dumps(wanted).encode("ascii") + b"\n")

    async def _read(self) -> None:
        lines = LineReader()
        try:
            while (chunk := await self._stream.read()) is not None:
                channel, data = chunk
                if channel != _STDOUT_CHANNEL:
                    self._stderr = (self._stderr + data)[-_STDERR:]
                    continue
                for line in lines.feed(data):
                    await self._take(parse(line))
            self._end(None)
        except FluxstateError as error:
            self._end(error)

    async def _take(self, message: Message) -> None:
        if isinstance(message, Reply):
            future = self._replies.get(message.id or 0)
            if future is not None and not future.done():
                future.set_result(message)
        elif isinstance(message, Progress | OutputLines):
            listen = self._listeners.get(message.id)
            if listen is not None:
                listen(message)
        elif isinstance(message, Hello) and not self._hello.done():
            self._hello.set_result(message)
        elif isinstance(message, Lost):
            self._lost = message.why  # the exit code follows
        elif self.watching:
            while self._messages.qsize() >= _BACKLOG:
                self._room.clear()
                await self._room.wait()
            self._messages.put_nowait(message)

    def _end(self, error: FluxstateError | None) -> None:
        code = self._stream.exit_code
        why = self._lost or self._said() or f"the remote program ended with exit code {code}"
        if self._ended is None:
            self._ended = error or SessionLost(f"Flux cannot be asked any more: {why}.")
        if not self._hello.done():
            self._hello.set_exception(error or CannotStart(why, code))
            self._hello.exception()  # it may be that nobody waits any more
        for future in self._replies.values():
            if not future.done():
                future.set_exception(self._ended)
        self._messages.put_nowait(None)

    def _said(self) -> str:
        """The last line on stderr, for people."""
        lines = self._stderr.decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    async def _close(self, reader: asyncio.Task[None]) -> None:
        """Closing stdin ends the program; leaving the stream does if that is not possible."""
        self._ended = self._ended or SessionLost("The conversation was closed.")
        if not reader.done():
            with suppress(FluxstateError, TimeoutError):
                await self._stream.close_stdin()
                await asyncio.wait({reader}, timeout=1.0)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
