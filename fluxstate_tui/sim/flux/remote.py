"""The conversation of our remote program (flux/remote_program.py), held by the simulated broker.

Same requests, same lines, same words, same order; but nothing that was sent is run: what a real
container does in its own Python is done here, on the simulated broker, files and clock.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from fluxstate_tui.sim.flux.background import in_background
from fluxstate_tui.sim.flux.cli.connection import CannotConnect, Connection, connect
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.flux.journal import journal, output
from fluxstate_tui.sim.shell.process import Process

Fields = dict[str, Any]
T = TypeVar("T")

PROTOCOL = 2
ATTRIBUTES = ("version", "size", "hostlist", "security.owner", "broker.starttime")
BLOCK = 64 * 1024
PIECE = 128 * 1024  # characters of the job list per line
LONG = 8 * PIECE  # characters that are deflated away from the event loop
LINE_LIMIT = 64 * 1024 * 1024  # bytes of a request: a jobspec with its environment
TICK = 1.0  # real seconds, even where the simulated clock stands still
SLOW_TICKS = 3
LAG = 60.0  # seconds of the simulated clock
LOADING = ("load-builtins", "join", "config-sync", "init")
CLOSED = "stdin was closed"
NO_BINDINGS, LOST = 3, 1  # exit codes
REPEATING = ("job-manager.events-journal", "job-info.eventlog-watch")


async def converse(process: Process) -> int:
    """Until standard input closes (0) or the broker is lost (1); 3 without Python bindings."""
    if not process.machine.python_bindings:
        why = "no Python bindings of Flux: No module named 'flux'"
        await process.stdout.write(_line("lost", why=why))
        return NO_BINDINGS
    try:
        connection = connect(process)
    except CannotConnect as error:
        await process.stdout.write(_line("lost", why=error.python_text))
        return LOST
    return await Conversation(process, connection).live()


def _line(kind: str, **fields: Any) -> bytes:
    return json.dumps({**fields, "t": kind}, separators=(",", ":")).encode("ascii") + b"\n"


def _words(error: BaseException) -> str:
    if isinstance(error, FluxError):
        return error.message
    return str(getattr(error, "strerror", None) or error)


def _typed(value: Any, kind: type[T], name: str) -> T:
    """ValueError unless it is one (a bool is no number)."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{name} has to be {kind.__name__}, not {type(value).__name__}")
    return value


class Conversation:
    """Hello, then requests and (once `watch` was asked for) what changes."""

    def __init__(self, process: Process, connection: Connection) -> None:
        self.process = process
        self.connection = connection
        self.now = process.machine.clock.now
        self._end: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._streams: dict[int, asyncio.Task[None]] = {}
        self._watch: Watch | None = None
        self._turn = asyncio.Lock()

    async def live(self) -> int:
        """Until it ends; the exit code."""
        forget = self.connection.instance.on_end(
            lambda: self.lose("the connection to the broker broke")
        )
        self.start(self._take_requests())
        try:
            why = await self._end
            if why != CLOSED:
                await self.send("lost", why=why)
                return LOST
            async with self._turn:  # what was being said is said to its end
                return 0
        finally:
            forget()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Let it run; that it fails ends the conversation, as only the broker makes it fail."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, FluxError):
            self.lose(error.message)
        elif not self._end.done():
            self._end.set_exception(error)

    def lose(self, why: str) -> None:
        """End, and say why."""
        if not self._end.done():
            self._end.set_result(why)

    async def send(self, kind: str, **fields: Any) -> None:
        """Write one line, whole; a slow reader makes everybody wait, in the order of asking."""
        async with self._turn:
            await self.process.stdout.write(_line(kind, **fields))

    async def rpc(self, topic: str, payload: Fields | None = None) -> Fields:
        """One RPC and its answer, or FluxError."""
        return await self.connection.rpc(topic, payload)

    # -- requests --------------------------------------------------------------------------

    async def _take_requests(self) -> None:
        attributes = {}
        for name in ATTRIBUTES:
            attributes[name] = str((await self.rpc("attr.get", {"name": name}))["value"])
        state = (await self.rpc("state-machine.get"))["state"]
        fields = {"attributes": attributes, "state": state, "uid": self.process.uid}
        await self.send("hello", protocol=PROTOCOL, now=self.now(), **fields)
        async for line in self._lines():
            self.start(self._take(line))
        self.lose(CLOSED)

    async def _lines(self) -> AsyncIterator[bytes]:
        parts: list[bytes] = []
        size = 0
        while data := await self.process.stdin.read(BLOCK):
            *ends, rest = data.split(b"\n")
            for end in ends:
                if line := b"".join([*parts, end]):
                    yield line
                parts, size = [], 0
            parts.append(rest)
            size += len(rest)
            if size > LINE_LIMIT:
                raise FluxError(errno.EMSGSIZE, f"a request is longer than {LINE_LIMIT} bytes")

    async def _take(self, line: bytes) -> None:
        """One request. Whatever is wrong with it becomes its reply."""
        number = None
        try:
            request = _typed(json.loads(line), dict, "a request")
            number, do = request.pop("id"), request.pop("do")
            if not isinstance(do, str) or do not in _REQUESTS:
                raise ValueError(f"there is no request '{do}'")
            result = await _REQUESTS[do](self, _typed(number, int, "id"), **request)
        except (FluxError, OSError) as error:
            code = error.errno
            await self.send("reply", id=number, ok=False, errno=code, error=_words(error))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            await self.send("reply", id=number, ok=False, errno=None, error=_words(error))
        else:
            await self.send("reply", id=number, ok=True, result=result or {}, now=self.now())

    async def _rpc(
        self, _number: int, topic: str, payload: Fields | None = None, node: int = 0
    ) -> Fields:
        _typed(node, int, "node")
        asked = None if payload is None else _typed(payload, dict, "payload")
        return await self.rpc(_typed(topic, str, "topic"), asked)

    async def _watch_all(self, _number: int, no_journal: str = "") -> None:
        if self._watch is None:
            self._watch = Watch(self, _typed(no_journal, str, "no_journal"))
        self._watch.look()

    async def _jobs(self, _number: int, since: float = 0.0) -> None:
        await self.jobs(float(since))

    async def jobs(self, since: float = 0.0) -> None:
        """Send all jobs; or all active ones and those that ended after `since`."""
        now = self.now()
        wanted = {"max_entries": 0, "attrs": ["all"], "since": since, "constraint": {"and": []}}
        text = json.dumps(await self.rpc("job-list.list", wanted))
        pieces = await in_background(len(text) > LONG, _deflated, text)
        for piece in pieces:
            last = piece is pieces[-1]
            await self.send("jobs", z=piece, last=last, part=since > 0, now=now)

    async def _stream(
        self, number: int, topic: str, payload: Fields | None = None, node: int = 0
    ) -> None:
        _typed(node, int, "node")
        answers = self.answers(_typed(topic, str, "topic"), _typed(payload or {}, dict, "payload"))
        pump = self._streams[number] = asyncio.ensure_future(self._pump(number, answers))
        try:
            await asyncio.wait({pump})
        finally:
            pump.cancel()
            self._streams.pop(number, None)
        if not pump.cancelled():
            pump.result()

    async def _pump(self, number: int, answers: AsyncIterator[Fields]) -> None:
        async for answer in answers:
            await self.send("more", id=number, value=answer)

    def answers(self, topic: str, payload: Fields) -> AsyncIterator[Fields]:
        """An RPC with many answers. FluxError when it is refused."""
        connection = self.connection
        connection.instance.services.authorize(topic, connection.userid)
        if topic == "job-manager.events-journal":
            return journal(connection.instance, full=bool(payload.get("full", False)))
        if topic == "job-info.eventlog-watch":
            return output(connection.instance, int(payload["id"]), str(payload["path"]))
        raise FluxError(errno.ENOSYS, f"No service matching {topic} is registered")

    async def _cancel(self, _number: int, request: int, topic: str) -> None:
        stream = self._streams.get(_typed(request, int, "request"))
        if stream is not None and topic in [f"{name}-cancel" for name in REPEATING]:
            stream.cancel()

    async def _submit(self, _number: int, jobspec: Fields, urgency: int = 16) -> Fields:
        process, system = self.process, jobspec["attributes"]["system"]
        environment = dict(process.env)
        environment.pop("FLUX_F58_FORCE_ASCII", None)
        system["environment"] = {**environment, **system.get("environment", {})}
        system.setdefault("cwd", process.cwd)
        submission = {"J": json.dumps(jobspec), "urgency": urgency, "flags": 0}
        return {"id": int((await self.rpc("job-ingest.submit", submission))["id"])}


def _deflated(text: str) -> list[str]:
    """Pieces of the text, deflated and coded; one after the other they are one stream."""
    deflate = zlib.compressobj(1)
    pieces = []
    for begin in range(0, len(text), PIECE):
        last = begin + PIECE >= len(text)
        data = deflate.compress(text[begin : begin + PIECE].encode("utf-8"))
        data += deflate.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)
        pieces.append(base64.b64encode(data).decode("ascii"))
    return pieces


_REQUESTS: dict[str, Callable[..., Coroutine[Any, Any, Fields | None]]] = {
    "cancel": Conversation._cancel,
    "jobs": Conversation._jobs,
    "rpc": Conversation._rpc,
    "stream": Conversation._stream,
    "submit": Conversation._submit,
    "watch": Conversation._watch_all,
}


class Watch:
    """Tells jobs, queues, ranks, counts and the broker's state, each when it changed."""

    def __init__(self, conversation: Conversation, no_journal: str) -> None:
        self._on = conversation
        self._no_journal = no_journal
        self._mode = ""  # then "journal" or "poll"
        self._history: list[int] = []
        self._subscribed = False
        self._refused_or_told = asyncio.Event()
        self._state = ""
        self._ticks = -1
        self._looking = False
        self._changed = True
        self._told: dict[str, Fields] = {}
        conversation.start(self._tick())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self.look()

    def look(self) -> None:
        """Once a second; but never ask a broker that has not answered the last questions yet."""
        self._ticks += 1
        if not self._looking:
            self._looking = True
            self._on.start(self._ask())

    async def _ask(self) -> None:
        on = self._on
        state = (await on.rpc("state-machine.get"))["state"]
        slow = self._ticks % SLOW_TICKS == 0 or state != self._state
        self._state = state
        ranks_first = bool(self._mode)
        if slow and not ranks_first:
            await on.send("beat", now=on.now(), state=state)
        if not self._mode and state not in LOADING:
            await self._follow_jobs()
        if self._mode:
            await self._tell("queues", self._queues())
        if self._mode and (slow or self._changed):
            self._changed = False
            await self._tell("stats", on.rpc("job-list.job-stats", {}))
            await self._tell("resources", on.rpc("resource.status", {}))
        if slow and ranks_first:
            await on.send("beat", now=on.now(), state=state)
        self._looking = False

    async def _tell(self, kind: str, asked: Awaitable[Any]) -> None:
        """Send the answer or the error, unless it is the one that was sent last."""
        try:
            told: Fields = {"fact": await asked}
        except FluxError as error:
            told = {"error": _words(error)}
        if self._told.get(kind) != told:
            self._told[kind] = told
            await self._on.send(kind, **told)

    async def _queues(self) -> list[Fields]:
        found = []
        for name in (await self._on.rpc("job-manager.queue-list", {}))["queues"] or [""]:
            payload = {"name": name} if name else {}
            status = await self._on.rpc("job-manager.queue-status", payload)
            found.append({**status, "name": name})
        return found

    async def _follow_jobs(self) -> None:
        if self._no_journal:
            self._mode = "poll"
            await self._on.send("mode", mode="poll", why=self._no_journal, active=None)
            return
        self._mode = "journal"
        self._on.start(self._read_journal())
        self._on.start(self._join())

    async def _read_journal(self) -> None:
        try:
            async for answer in self._on.answers("job-manager.events-journal", {"full": False}):
                await self._take(answer)
        except FluxError as error:
            if error.errno != errno.EPERM:
                self._on.lose(f"the journal ended: {_words(error)}")
                return
            self._no_journal = f"no right to read the journal: {_words(error)}"
            await self._follow_jobs()
            self._refused_or_told.set()

    async def _take(self, answer: Fields) -> None:
        events = answer["events"]
        if not events:
            self._refused_or_told.set()
            return
        if not self._subscribed:
            self._history.append(answer["id"])
        if self._subscribed or events[-1]["timestamp"] > self._on.now() - LAG:
            self._changed = True
            await self._on.send("event", **answer)

    async def _join(self) -> None:
        """After the history or its refusal: say how jobs are told, and which were active."""
        await self._refused_or_told.wait()
        await self._on.rpc("job-manager.alloc-query", {})
        if self._mode == "journal":
            self._subscribed = True
            await self._on.send("mode", mode="journal", why="", active=self._history)
            await self._on.jobs()
