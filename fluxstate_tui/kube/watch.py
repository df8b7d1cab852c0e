"""List, then watch, for ever: whatever happens to the connection, the picture comes back.

The algorithm of client-go's reflector and kopf (ARCHITECTURE.md#F84): a closed watch is resumed
from the last resource version, 410 means a fresh list, a silent stream is dead after 70 s, trouble
is met with jittered back-off. It never ends by itself and never raises KubeError.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fluxstate_tui.clock import Clock
from fluxstate_tui.kube.client import ListQuery, list_all
from fluxstate_tui.kube.errors import (
    NOTHING_CHANGED,
    BadAnswer,
    CrdMissing,
    Forbidden,
    Gone,
    KubeError,
    TooManyRequests,
    Unauthorized,
    error_from_response,
    shorten,
)
from fluxstate_tui.kube.list_body import SLICE_SECONDS, load_json
from fluxstate_tui.minicluster.objects import as_map, as_whole
from fluxstate_tui.tasks import Pause

if TYPE_CHECKING:
    from fluxstate_tui.kube.client import Cluster
    from fluxstate_tui.kube.transport import ByteStream


# The lines of a watch: of any length, cut anywhere, and noticed when they stop coming.


class Lines:
    """Cuts bytes into lines, in linear time also when one line comes in many pieces."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that are complete now. What is left waits for more."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            self._pieces.append(data[start:end])
            line = b"".join(self._pieces)
            self._pieces.clear()
            start = end + 1
            if line.strip():
                yield line
        if start < len(data):
            self._pieces.append(data[start:])


class Chunks:
    """Reads a stream with patience: None means that it was silent for so long."""

    def __init__(self, stream: ByteStream, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._reading: asyncio.Task[bytes] | None = None
        self._timer: asyncio.Task[None] | None = None
        self._suspect: KubeError | None = None

    async def next(self, patience: float) -> bytes | None:
        """What has come, b'' at the end, None after `patience` silent seconds of our clock.

        Raises CannotConnect, or what `doubt` was given. A read that is under way goes on after a
        None.
        """
        if self._reading is None:
            self._reading = asyncio.create_task(self._stream.read_some())
        self._timer = asyncio.create_task(self._sleep(patience))
        try:
            await asyncio.wait({self._reading, self._timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._timer.cancel()
        if self._suspect is not None:
            raise self._suspect
        if not self._reading.done():
            return None
        done, self._reading = self._reading, None
        return done.result()

    def suspect(self, error: KubeError) -> None:
        """Somebody else found the server gone: this stream must not hang on in good faith."""
        self._suspect = error
        if self._timer is not None:
            self._timer.cancel()

    async def close(self) -> None:
        """Give up a read that is under way."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._reading = None

    async def _sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


async def decoded(lines: Iterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """Each line as an object; lets the screen be drawn in between. Raises BadAnswer."""
    started = time.perf_counter()
    for line in lines:
        try:
            document = load_json(line)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise BadAnswer(
                f"A watch sent something that is no event: {shorten(line)}.", safe=NOTHING_CHANGED
            )
        yield document
        if time.perf_counter() - started > SLICE_SECONDS:
            await asyncio.sleep(0)
            started = time.perf_counter()


# What a list+watch tells.

Read = TypeVar("Read")


class WatchState(Enum):
    """What a list+watch is doing; the values are those of store.events.Freshness."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"
    FORBIDDEN = "forbidden"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Listed(Generic[Read]):
    """The complete set: what is not in it is gone. Also after a 410, so take the difference."""

    items: list[Read]
    resource_version: str


@dataclass(frozen=True, slots=True)
class Changed(Generic[Read]):
    """One object was added or changed."""

    item: Read


@dataclass(frozen=True, slots=True)
class Deleted(Generic[Read]):
    """One object is gone (or no longer matches the selector)."""

    item: Read


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The source became live, stale ... `detail` is one sentence for people, '' when live."""

    state: WatchState
    detail: str = ""


WatchEvent = Listed[Read] | Changed[Read] | Deleted[Read] | StateChanged


# Waiting longer and longer between tries, with jitter, as client-go's reflector does.

FIRST_SECONDS = 0.8
LONGEST_SECONDS = 30.0
HEALTHY_SECONDS = 120.0


class Backoff:
    """0.8 s, doubling to 30 s, each stretched by up to 100 %; two quiet minutes start it anew.

    The jitter keeps many dashboards from coming back in the same moment.
    """

    def __init__(self, clock: Clock, dice: random.Random | None = None) -> None:
        self._clock = clock
        self._dice = dice or random.Random()
        self._next = FIRST_SECONDS
        self._last = float("-inf")

    def delay(self) -> float:
        """Seconds to wait before the next try."""
        now = self._clock.now()
        if now - self._last > HEALTHY_SECONDS:
            self._next = FIRST_SECONDS
        base = self._next
        self._next = min(base * 2, LONGEST_SECONDS)
        delay = min(base * (1 + self._dice.random()), LONGEST_SECONDS)
        self._last = now + delay
        return delay


SILENCE_SECONDS = 70.0
WATCH_SECONDS = (300, 600)
PROBE_SECONDS = 60.0
# A restarted API server answers 403 for about 1.7 s while its caches fill.
FORBIDDEN_SECONDS = 3.0
RELIST_SECONDS = 1800.0
_SHORT_SECONDS = 1.0
_ERRORS_UNTIL_RELIST = 3


class Silent(BadAnswer):
    """Nothing came for a long time over a watch that had been opened."""


Object = dict[str, Any]


class ListWatch(Generic[Read]):
    """One list+watch of one resource in one namespace (None: in all).

    Each object is given to `read` at once, and what it makes of it is what the events hold:
    keeping raw objects costs half a gigabyte for ten thousand pods.
    """

    def __init__(
        self,
        cluster: Cluster,
        query: ListQuery,
        read: Callable[[Object], Read],
        *,
        clock: Clock,
        dice: random.Random | None = None,
    ) -> None:
        self._cluster = cluster
        self._query = query
        self._make = read
        self._clock = clock
        self._dice = dice or random.Random()
        self._backoff = Backoff(clock, self._dice)
        self._pausing = Pause(clock)
        self._chunks: Chunks | None = None
        self._version = ""
        self._listed_at = 0.0
        self._reported = StateChanged(WatchState.CONNECTING)
        self._forbidden_since: float | None = None
        self._may_not_watch = False
        self._errors = 0
        self._bookmarks_seen = False
        self._silences = 0

    async def events(self) -> AsyncGenerator[WatchEvent[Read], None]:
        """Everything that happens. Close it (`contextlib.aclosing`) or cancel its task."""
        while True:
            try:
                if not self._version:
                    yield await self._list()
                    for state in self._report_listed():
                        yield state
                async with aclosing(self._watch()) as watched:
                    async for event in watched:
                        yield event
            except KubeError as error:
                for state in self._trouble(error):
                    yield state
                await self._pausing.wait(self._pause(error))

    def suspect(self, error: KubeError) -> None:
        """The server was found gone: an open watch would hang for a minute before it says so."""
        if self._chunks is not None:
            self._chunks.suspect(error)

    def retry(self) -> None:
        """The server is back: do not sit out a long back-off."""
        self._pausing.end()

    async def _list(self) -> Listed[Read]:
        listing = await list_all(self._cluster, self._query, self._slim_and_make)
        self._version = listing.resource_version
        self._listed_at = self._clock.now()
        return Listed(listing.items, listing.resource_version)

    def _slim_and_make(self, item: Object) -> Read:
        """Without managedFields: half of every object, and nobody looks at them."""
        try:
            item["metadata"].pop("managedFields", None)
            return self._make(item)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            said = shorten(json.dumps(item).encode())
            raise BadAnswer(
                f"The API server sent an object that is none: {said}.", safe=NOTHING_CHANGED
            ) from error

    async def _watch(self) -> AsyncGenerator[WatchEvent[Read], None]:
        """One watch request, from its opening to its end."""
        seconds = self._dice.randint(*WATCH_SECONDS)
        params = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(seconds),
            **self._query.selectors,
        }
        opened = self._clock.now()
        seen = 0
        async with self._cluster.stream(self._query.path, params) as stream:
            chunks = self._chunks = Chunks(stream, self._clock)
            try:
                async for event in self._read(chunks, seconds):
                    seen += 1
                    if event is not None:
                        yield event
            finally:
                self._chunks = None
                await chunks.close()
        if not seen and self._clock.now() - opened < _SHORT_SECONDS:
            raise BadAnswer("The API server closed a watch at once.")
        if self._clock.now() - self._listed_at > RELIST_SECONDS:
            self._version = ""  # Cheap insurance against events that were lost on the way.

    async def _read(
        self, chunks: Chunks, seconds: int
    ) -> AsyncGenerator[WatchEvent[Read] | None, None]:
        """The events of one open watch; None for a bookmark. Returns at its end."""
        lines = Lines()
        patience = _SHORT_SECONDS
        while (data := await chunks.next(patience)) != b"":
            if data is None and patience > _SHORT_SECONDS:
                self._silences += 1
                raise Silent(f"The watch was silent for {patience:g} s.")
            patience = self._patience(seconds)
            if data is None:
                # Open for a second, so it is not one that closes at once.
                for state in self._healthy():
                    yield state
                continue
            async for document in decoded(lines.feed(data)):
                event = self._understand(document)
                for state in self._healthy():
                    yield state
                yield event

    def _understand(self, document: Object) -> WatchEvent[Read] | None:
        kind, item = document.get("type"), dict(as_map(document.get("object")))
        if kind == "ERROR":
            raise self._error_event(item)
        version = as_map(item.get("metadata")).get("resourceVersion")
        if version:
            self._version = str(version)
        if kind == "BOOKMARK":
            self._bookmarks_seen = True
            return None
        if kind == "DELETED":
            return Deleted(self._slim_and_make(item))
        if kind in ("ADDED", "MODIFIED"):
            return Changed(self._slim_and_make(item))
        raise BadAnswer(f"A watch sent an event of the unknown type {kind!r}.")

    def _error_event(self, status: Object) -> KubeError:
        code = as_whole(status.get("code")) or 500
        if status.get("reason") in ("Expired", "Gone"):
            code = 410
        said = str(status.get("message") or "no reason given")
        if code == 410:
            return Gone(said)
        return error_from_response(
            "GET", self._query.path, code, said.encode(), params={"watch": "true"}
        )

    def _healthy(self) -> list[StateChanged]:
        """The watch works: forget what went wrong before."""
        self._errors = 0
        self._forbidden_since = None
        self._may_not_watch = False
        return self._report(WatchState.LIVE)

    def _report_listed(self) -> list[StateChanged]:
        """A list alone is live, unless we know already that no watch will follow it."""
        return [] if self._may_not_watch else self._report(WatchState.LIVE)

    def _patience(self, seconds: int) -> float:
        """Servers need not send bookmarks: where none ever came, only the time-out is a sign."""
        if self._silences >= 2 and not self._bookmarks_seen:
            return seconds + 30.0
        return SILENCE_SECONDS

    def _report(self, state: WatchState, detail: str = "") -> list[StateChanged]:
        event = StateChanged(state, detail)
        if event == self._reported:
            return []
        self._reported = event
        return [event]

    def _trouble(self, error: KubeError) -> list[StateChanged]:
        self._errors += 1
        if isinstance(error, Gone):
            self._version = ""
            return []  # The fresh list follows at once; only if it fails is that worth a word.
        if self._errors >= _ERRORS_UNTIL_RELIST or isinstance(error, Forbidden):
            self._version = ""
        if isinstance(error, Forbidden):
            return self._forbidden(error)
        self._forbidden_since = None
        if isinstance(error, CrdMissing):
            self._version = ""
            return self._report(WatchState.ABSENT, sentence(error))
        if isinstance(error, Unauthorized):
            return self._report(WatchState.FORBIDDEN, sentence(error))
        return self._report(WatchState.STALE, sentence(error))

    def _forbidden(self, error: Forbidden) -> list[StateChanged]:
        """A 403 is final only when it lasts. Who may list but not watch is listed now and then."""
        now = self._clock.now()
        self._may_not_watch = error.verb == "watch"
        if self._forbidden_since is None:
            self._forbidden_since = now
        if now - self._forbidden_since >= FORBIDDEN_SECONDS:
            return self._report(WatchState.FORBIDDEN, sentence(error))
        if self._reported.state is WatchState.LIVE:
            return self._report(WatchState.STALE, sentence(error))
        return []

    def _pause(self, error: KubeError) -> float:
        if isinstance(error, Gone | Silent) and self._errors == 1:
            return 0.0  # also soon after an outage: a long back-off would look stale in vain
        delay = self._backoff.delay()
        if self._reported.state is WatchState.FORBIDDEN and isinstance(error, Forbidden):
            return max(delay, PROBE_SECONDS * (1 + 0.1 * self._dice.random()))
        if isinstance(error, TooManyRequests) and error.retry_after is not None:
            return max(delay, error.retry_after)
        return delay


def sentence(error: KubeError) -> str:
    """The error as one line: what happened, and what to do."""
    return f"{error.message} {error.advice}".strip()
