"""A conversation with the remote program in the lead container: requests, and what it tells.

It runs over anything that executes a program there: `kube.session.Cluster` in earnest, a local
process to try it on a Flux of one's own.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fluxstate_tui.broker.commands import failed
from fluxstate_tui.broker.locate import Endpoint
from fluxstate_tui.broker.protocol import (
    PROTOCOL,
    STDOUT_CHANNEL,
    Hello,
    LineReader,
    Listener,
    Lost,
    Message,
    More,
    Pending,
    Reply,
    Stream,
    StreamExecutor,
    parse,
)
from fluxstate_tui.errors import ExitCode, FluxstateError, said
from fluxstate_tui.flux.remote_code import ARGUMENTS, program_line

_log = logging.getLogger(__name__)

START_TIMEOUT = 30.0
REQUEST_TIMEOUT = 30.0
JOURNAL_SINCE = (0, 68)  # before, the journal's answers had another shape
_BACKLOG = 20_000  # messages that wait for their reader before the stream has to wait
_STDERR = 4096

READING = frozenset(
    {
        *("config.get", "content.checkpoint-get", "kvs.getroot", "kvs.lookup", "state-machine.get"),
        *("job-info.eventlog-watch", "job-info.lookup"),
        *("job-list.job-stats", "job-list.list", "job-list.list-id"),
        *("content-sqlite.stats-get", "resource.status"),
        *("job-manager.alloc-query", "job-manager.queue-list", "job-manager.queue-status"),
    }
)
"""The RPCs that change nothing: no others leave under --read-only."""


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
    """Requests go in, messages come out, until the block is left.

    Every request raises FluxFailed when Flux refuses, SessionLost when there is no answer (the
    outcome of a change is then unknown), FluxstateError (exit 5) for a change under --read-only.
    """

    def __init__(self, stream: Stream, read_only: bool) -> None:
        self._stream = stream
        self._read_only = read_only
        self._hello: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self._room = asyncio.Event()
        self._lost = ""
        self._pending = Pending()
        self._stderr = b""
        self._ended: FluxstateError | None = None
        self._silent = False
        self.watching = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls, executor: StreamExecutor, endpoint: Endpoint, *, timeout: float = START_TIMEOUT
    ) -> AsyncIterator[FluxSession]:
        """Start the program and wait for its hello. Raises CannotStart, or a KubeError."""
        argv = endpoint.flux_argv(ARGUMENTS)
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

    @property
    def answers(self) -> bool:
        """It has not ended, and every request was answered in time."""
        return self._ended is None and not self._silent

    def suspect(self) -> None:
        """It says nothing any more: nobody else should begin to use it."""
        self._silent = True

    # -- requests -----------------------------------------------------------------------------

    async def rpc(
        self, topic: str, payload: dict[str, Any] | None = None, *, node: int = 0
    ) -> dict[str, Any]:
        """One RPC of Flux to the rank `node`; its answer."""
        self._may(topic, topic in READING)
        args = {"topic": topic, "payload": payload, "node": node}
        return (await self._ask("rpc", args, what=topic)).result

    async def stream(
        self, topic: str, payload: dict[str, Any], listen: Listener, *, node: int, timeout: float
    ) -> None:
        """An RPC with many answers, which `listen` gets; returns after the last one.

        Cancelling it tells the service (TOPIC-cancel) that nobody listens any more.
        """
        self._may(topic, topic in READING)
        args = {"topic": topic, "payload": payload, "node": node}
        number, line = self._pending.line("stream", args)
        try:
            await self._answer(number, line, topic, timeout, listen)
        except asyncio.CancelledError:
            if self._ended is None:
                await self._post("cancel", {"request": number, "topic": f"{topic}-cancel"})
            raise

    async def submit(self, jobspec: dict[str, Any], urgency: int, *, timeout: float) -> int:
        """Submit a jobspec with the lead container's environment; the id of the new job."""
        self._may("submit", reads=False)
        args = {"jobspec": jobspec, "urgency": urgency}
        return int((await self._ask("submit", args, timeout=timeout)).result["id"])

    async def now(self) -> float:
        """The cluster's clock, in seconds since the epoch."""
        return (await self._ask("rpc", {"topic": "state-machine.get"})).now

    async def watch(self) -> None:
        """From now on `message` brings jobs, queues, ranks and the broker's state.

        If it does so already, everything is looked at once more.
        """
        self.watching = True
        numbers = tuple(int(part) for part in re.findall(r"\d+", self.hello.version)[:2])
        old = "flux-core before 0.68 has no journal that can be read"
        await self._ask("watch", {"no_journal": old if numbers < JOURNAL_SINCE else ""})

    def stop_watching(self) -> None:
        """Nobody reads `message` any more: what comes is dropped, and replies are not held up."""
        self.watching = False
        self._room.set()

    async def want_jobs(self, since: float = 0.0) -> None:
        """Let `message` bring all jobs once more; or all active ones and those that ended since.

        It does not wait for them.
        """
        await self._post("jobs", {"since": since})

    # -- messages -----------------------------------------------------------------------------

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

    def _may(self, what: str, reads: bool) -> None:
        if self._read_only and not reads:
            raise FluxstateError(
                f"'{what}' would change the MiniCluster, and this is --read-only.",
                safe="Nothing was sent.",
                exit_code=ExitCode.REFUSED,
            )

    async def _ask(
        self,
        do: str,
        args: dict[str, Any],
        *,
        what: str = "",
        timeout: float = REQUEST_TIMEOUT,
    ) -> Reply:
        number, line = self._pending.line(do, args)
        return await self._answer(number, line, what or do, timeout, None)

    async def _answer(
        self, number: int, line: bytes, what: str, timeout: float, listen: Listener | None
    ) -> Reply:
        if self._ended is not None:
            raise self._ended
        future = self._pending.expect(number, listen)
        try:
            async with asyncio.timeout(timeout):
                await self._stream.write(line)
                reply = await future
        except TimeoutError:
            self.suspect()
            raise SessionLost(
                f"The remote program did not answer '{what}' within {timeout:g} s.",
                safe="It may have been carried out or not.",
                advice="Look at its effect before you repeat it.",
            ) from None
        finally:
            self._pending.forget(number)
        if not reply.ok:
            raise failed(what, reply.error, errno=reply.errno)
        return reply

    async def _post(self, do: str, args: dict[str, Any]) -> None:
        """A request whose reply is not waited for; a lost connection shows elsewhere."""
        with suppress(FluxstateError):
            await self._stream.write(self._pending.line(do, args)[1])

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

    async def _read(self) -> None:
        lines = LineReader()
        try:
            while (chunk := await self._stream.read()) is not None:
                channel, data = chunk
                if channel != STDOUT_CHANNEL:
                    self._stderr = (self._stderr + data)[-_STDERR:]
                    continue
                for line in lines.feed(data):
                    await self._take(parse(line))
            self._end(None)
        except FluxstateError as error:
            self._end(error)
        except Exception as error:  # nobody may wait for answers that nobody reads any more
            _log.exception("reading from the remote program")
            self._end(SessionLost(f"Flux cannot be asked any more: {said(error)}."))

    async def _take(self, message: Message) -> None:
        if isinstance(message, Reply | More):
            self._pending.take(message)
        elif isinstance(message, Hello) and not self._hello.done():
            self._hello.set_result(message)
        elif isinstance(message, Lost):
            self._lost = message.why  # the exit code follows
        elif self.watching:
            while self.watching and self._messages.qsize() >= _BACKLOG:
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
        self._pending.fail(self._ended)
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
