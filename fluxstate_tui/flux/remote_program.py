"""The program in the lead container: runs under its own `flux python` (3.6 or later).

It is sent as it stands (broker/session.py), and needs only the standard library and Flux's
bindings. Stdin has requests, stdout what is seen and answered, each a line of JSON:

    {"id": 7, "do": "rpc", "topic": "job-manager.urgency", "payload": {"id": 1234, "urgency": 0}}
    {"t": "reply", "id": 7, "ok": true, "result": {"old_urgency": 16}}

What can be done away from the broker is not done here: topics, payloads and their meaning are the
other side's (broker/rpc.py). Here is what must be near: the watch, which tells only what changed;
the submission, which signs and has this container's environment. It runs no other program, and ends
with 0 when stdin closes, with 1 when the broker is lost.
`time.time()` is the cluster's clock: this container has the broker of rank 0.
"""

import base64
import errno
import json
import os
import sys
import time
import types
import zlib
from typing import Any, Callable, Dict, List

PROTOCOL = 2
ATTRIBUTES = ("version", "size", "hostlist", "security.owner", "broker.starttime")
LEAD = 0  # the rank that is asked
STREAMING, NO_RESPONSE = 2, 1  # flags of an RPC
READABLE = 1  # FLUX_POLLIN. The default has POLLOUT too, and the callback then blocks.
BLOCK = 64 * 1024  # bytes to read at once
PIECE = 128 * 1024  # characters of the job list per line

TICK = 1.0  # seconds between two looks at what the journal does not tell
SLOW_TICKS = 3  # every so many of them everything is looked at, even if nothing changed
LAG = 60.0  # seconds; job-list is never that far behind the journal
LOADING = ("load-builtins", "join", "config-sync", "init")  # broker states without job services
CLOSED = "stdin was closed"
REQUESTS = ("rpc", "watch", "jobs", "submit", "stream", "cancel")


def send(kind: str, **fields: Any) -> None:
    """Write one line, whole and at once (ASCII, so that no transport can spoil it).

    A slow reader makes this wait, and with it the broker's answers: nothing piles up here.
    """
    rest = json.dumps(dict(fields, t=kind), separators=(",", ":")).encode("ascii") + b"\n"
    while rest:
        rest = rest[os.write(1, rest) :]


def words(error: Any) -> str:
    """Flux's (or the system's) own words."""
    return str(getattr(error, "strerror", None) or error)


@types.coroutine
def ready(awaited: Any) -> Any:
    """`await ready(future)`: until it has its (next) answer everything else goes on.

    Who reads many answers of one future waits for nothing else in between.
    """
    yield awaited
    return awaited


def start(task: Any, ended: Callable[[Any, Any], None]) -> None:
    """Run `task` until it waits; Flux's reactor carries it on. `ended` gets (result, error)."""
    armed: Any = None

    def go_on(_answered: Any = None) -> None:
        nonlocal armed
        try:
            awaited = task.send(None)
        except StopIteration as end:
            ended(end.value, None)
        except Exception as error:
            ended(None, error)
        else:
            if awaited is not armed:
                armed = awaited
                awaited.then(go_on)

    go_on()


class Readable:
    """A file descriptor to wait for like a future: until it can be read, or is at its end."""

    def __init__(self, handle: Any, fd: int) -> None:
        self.handle = handle
        self.fd = fd
        self.watcher: Any = None

    def then(self, go_on: Callable[[Any], None]) -> None:
        """Call back each time, until the watcher is stopped."""
        self.watcher = self.handle.fd_watcher_create(self.fd, lambda *_: go_on(self), READABLE)
        self.watcher.start()


class Watch:
    """Tells jobs, queues, ranks, counts and the broker's state, each when it changed.

    The job list and the journal are joined without gap or double like this (flux-core 0.88):

    1. Subscribe to `job-manager.events-journal`. At that very moment it sends the whole eventlog
       of every active job, then a response without events, and from then on each event.
    2. job-list learns of events by the same journal and lags behind when the broker is busy, so
       its answer alone would leave gaps (tried: 7 of 25). So the eventlogs of jobs in which
       something happened lately are passed on: the other side builds these jobs from them, not
       from the list. Of the older ones only the ids go out (`active`): the list has them right.
    3. Ask job-list for all jobs. Those that it calls active and the journal did not have ended
       just before the subscription: the other side asks for the list again.

    It is the raw RPC, not `flux.job.JournalConsumer`: that one swallows a refusal (EPERM).
    """

    def __init__(self, program: "Program", no_journal: str) -> None:
        self.program = program
        self.rpc = program.rpc
        self.no_journal = no_journal  # why it is not to be tried
        self.mode = ""  # then "journal" or "poll"
        self.history: List[int] = []  # jobs of which the journal told at the subscription
        self.has_history = False
        self.subscribed = False
        self.state = ""
        self.ticks = -1
        self.looking = False
        self.changed = True
        self.told: Dict[str, Any] = {}
        self.timer = program.handle.timer_watcher_create(TICK, self.look, TICK)
        self.timer.start()

    def look(self, *_args: Any) -> None:
        """Once a second; but never ask a broker that has not answered the last questions yet."""
        self.ticks += 1
        if not self.looking:
            start(self.ask(), self.program.check)

    async def ask(self) -> None:
        """Ask for little each time, for everything when something changed or seldom."""
        self.looking = True
        state = (await self.rpc("state-machine.get"))["state"]
        slow = self.ticks % SLOW_TICKS == 0 or state != self.state
        self.state = state
        # Its ranks first, once they are known: `run` with the ranks of before looks degraded.
        ranks_first = bool(self.mode)
        if slow and not ranks_first:
            send("beat", now=time.time(), state=state)
        if not self.mode and state not in LOADING:
            self.follow_jobs()
        if self.mode:
            await self.tell("queues", self.queues())
        if self.mode and (slow or self.changed):
            self.changed = False
            await self.tell("stats", self.rpc("job-list.job-stats", {}))
            await self.tell("resources", self.rpc("resource.status", {}))
        if slow and ranks_first:
            send("beat", now=time.time(), state=state)
        self.looking = False

    async def tell(self, kind: str, asked: Any) -> None:
        """Send the answer or the error, unless it is the one that was sent last."""
        try:
            told = {"fact": await asked}
        except OSError as error:
            told = {"error": words(error)}
        if self.told.get(kind) != told:
            self.told[kind] = told
            send(kind, **told)

    async def queues(self) -> Any:
        """The state of each; if none has a name, there is the anonymous one, called ''."""
        found = []
        for name in (await self.rpc("job-manager.queue-list", {}))["queues"] or [""]:
            payload = {"name": name} if name else {}
            found.append(dict(await self.rpc("job-manager.queue-status", payload), name=name))
        return found

    def follow_jobs(self) -> None:
        """By the journal if it can be had; else the other side asks for the list every so often."""
        if self.no_journal:
            self.mode = "poll"
            send("mode", mode="poll", why=self.no_journal, active=None)
        else:
            self.mode = "journal"
            start(self.read_journal(), self.journal_ended)
            start(self.join(), self.program.check)

    async def read_journal(self) -> None:
        """Each response has `id`, `events`, and the jobspec or R that belongs to them."""
        options = {"full": False}
        journal = self.program.handle.rpc("job-manager.events-journal", options, LEAD, STREAMING)
        while True:
            answer = (await ready(journal)).get()
            journal.reset()
            events = answer.get("events")
            if not events:
                self.has_history = True
                continue
            if not self.subscribed:
                self.history.append(answer["id"])
            if self.subscribed or events[-1]["timestamp"] > time.time() - LAG:
                self.changed = True
                send("event", **answer)

    def journal_ended(self, _result: Any, error: Any) -> None:
        """It was refused, or the broker is gone."""
        if getattr(error, "errno", None) == errno.EPERM:
            self.no_journal = "no right to read the journal: " + words(error)
            self.follow_jobs()
        else:
            self.program.lost("the journal ended: " + words(error))

    async def join(self) -> None:
        """Job-manager answers in order: the history, or its refusal, came before this answer."""
        await self.rpc("job-manager.alloc-query", {})
        if self.mode == "journal":
            self.subscribed = True
            active = self.history if self.has_history else None
            send("mode", mode="journal", why="", active=active)
            await self.program.jobs()


class Program:
    """One life: hello, then requests and (once `watch` was asked for) what changes.

    A request is the async method of its name, with the line's arguments; it returns the reply.
    """

    def __init__(self, flux: Any) -> None:
        self.flux = flux
        self.handle = flux.Flux()
        self.watching: Any = None  # the Watch, once it was asked for
        self.streams: Dict[int, Any] = {}
        self.end = ""  # why

    def live(self) -> int:
        """Until stdin closes (0) or the broker is lost (1)."""
        start(self.take_requests(), self.check)
        if not self.end:
            self.handle.reactor_run()
        if not self.end:  # the reactor has nothing to listen to any more (SIGKILL, tried)
            self.lost("the connection to the broker broke")
        return 0 if self.end == CLOSED else 1

    def check(self, _result: Any, error: Any) -> None:
        """A task has ended; it was one that fails only with the broker."""
        if error is not None:
            self.lost(error)

    def lost(self, why: Any) -> None:
        """Say why, and end."""
        if not self.end:
            self.end = words(why)
            send("lost", why=self.end)
            self.handle.reactor_stop()

    async def rpc(self, topic: str, payload: Any = None, node: int = LEAD) -> Any:
        """One RPC and its answer. OSError: Flux's own words."""
        return (await ready(self.handle.rpc(topic, payload, node, 0))).get()

    async def take_requests(self) -> None:
        """Say who is there and what its clock says; then take requests until stdin closes."""
        attributes = {name: str(self.handle.attr_get(name)) for name in ATTRIBUTES}
        state = (await self.rpc("state-machine.get"))["state"]
        fields = {"attributes": attributes, "state": state, "uid": os.getuid()}
        send("hello", protocol=PROTOCOL, now=time.time(), **fields)
        stdin, unread = Readable(self.handle, 0), b""
        while True:
            await ready(stdin)
            data = os.read(0, BLOCK)
            if not data:
                self.end = CLOSED
                self.handle.reactor_stop()
                return
            *lines, unread = (unread + data).split(b"\n")
            for line in filter(None, lines):
                self.take(line)

    def take(self, line: bytes) -> None:
        """One request. Whatever is wrong with it becomes its reply: the program outlives it."""
        number = None

        def ended(result: Any, error: Any) -> None:
            if error is None:
                send("reply", id=number, ok=True, result=result or {}, now=time.time())
            else:
                code = getattr(error, "errno", None)
                send("reply", id=number, ok=False, errno=code, error=words(error))

        try:
            request = json.loads(line.decode("utf-8"))
            number, do = request.pop("id"), request.pop("do")
            if do not in REQUESTS:
                raise ValueError("there is no request '%s'" % do)
            if do == "stream":
                request["number"] = number
            start(getattr(self, do)(**request), ended)
        except Exception as error:
            ended(None, error)

    async def watch(self, no_journal: str = "") -> None:
        """Tell what changes from now on; if it does so already, look at once."""
        if self.watching is None:
            self.watching = Watch(self, no_journal)
        self.watching.look()

    async def jobs(self, since: float = 0.0) -> None:
        """Send all jobs; or all active ones and those that ended after `since`.

        100,000 jobs are 50 MB of JSON: parsing them here would take the container's memory, sending
        them as they are minutes on a slow line. So they go out unparsed, deflated, in pieces.
        """
        now, deflate = time.time(), zlib.compressobj(1)
        wanted = {"max_entries": 0, "attrs": ["all"], "since": since, "constraint": {"and": []}}
        text = (await ready(self.handle.rpc("job-list.list", wanted, LEAD, 0))).get_str()
        for begin in range(0, len(text), PIECE):
            last = begin + PIECE >= len(text)
            data = deflate.compress(text[begin : begin + PIECE].encode("utf-8"))
            data += deflate.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)
            piece = base64.b64encode(data).decode("ascii")
            send("jobs", z=piece, last=last, part=since > 0, now=now)

    async def stream(self, number: int, topic: str, payload: Any = None, node: int = LEAD) -> None:
        """An RPC with many answers, each of them a `more` line."""
        future = self.streams[number] = self.handle.rpc(topic, payload, node, STREAMING)
        try:
            while True:
                send("more", id=number, value=(await ready(future)).get())
                future.reset()
        except OSError as error:
            if error.errno != errno.ENODATA:
                raise
        finally:
            del self.streams[number]

    async def cancel(self, request: int, topic: str) -> None:
        """End a `stream`: tell the service (`topic`) that nobody listens any more."""
        if request in self.streams:
            payload = {"matchtag": self.streams[request].pimpl.get_matchtag()}
            self.handle.rpc(topic, payload, LEAD, NO_RESPONSE)

    async def submit(self, jobspec: Any, urgency: int = 16) -> Any:
        """Submit a jobspec (RFC 25) with this container's environment, as `flux submit` does."""
        system = jobspec["attributes"]["system"]
        environment = dict(os.environ)
        environment.pop("FLUX_F58_FORCE_ASCII", None)  # set for this program, not by the user
        system["environment"] = dict(environment, **system.get("environment", {}))
        system.setdefault("cwd", os.getcwd())
        submission = self.flux.job.submit_async(self.handle, json.dumps(jobspec), urgency=urgency)
        return {"id": int((await ready(submission)).get_id())}


def main() -> int:
    """Returns the exit code."""
    try:
        import flux  # type: ignore[import-not-found, unused-ignore]
        import flux.job  # type: ignore[import-not-found, unused-ignore]

        return Program(flux).live()
    except ImportError as error:
        send("lost", why="no Python bindings of Flux: %s" % error)
        return 3
    except OSError as error:
        send("lost", why=words(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
