"""A server for list+watch whose watches follow a script, and a reader of what comes out."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from fluxstate_tui.kube.client import ListQuery
from fluxstate_tui.kube.objects import PODS
from fluxstate_tui.kube.watch import ListWatch, StateChanged, WatchEvent
from tests.unit.kube.clock import QuickClock
from tests.unit.kube.server import FakeApi, fake_api, open_cluster

Object = dict[str, Any]
Answer = Callable[[], web.StreamResponse]


def pod(name: str, version: str = "1", uid: str = "") -> Object:
    """A bare pod."""
    metadata = {"name": name, "namespace": "ns", "uid": uid or name, "resourceVersion": version}
    return {"metadata": {**metadata, "managedFields": [{"manager": "kubelet"}]}}


def event(kind: str, item: Object) -> bytes:
    """A line of a watch."""
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def bookmark(version: str) -> bytes:
    """A BOOKMARK line."""
    return event("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": version}})


GONE = event(
    "ERROR",
    {
        "kind": "Status",
        "status": "Failure",
        "message": "too old resource version: 2 (1500)",
        "reason": "Expired",
        "code": 410,
    },
)


@dataclass
class Watched:
    """One watch request's answer: lines (or pieces of them), and how it ends."""

    pieces: list[bytes] = field(default_factory=list)
    end: str = "hang"
    """hang, close or abort."""


@dataclass
class WatchServer:
    """Lists and watches in the order given; the last list and watch are given again and again."""

    lists: list[Answer]
    watches: list[Watched | Answer]
    asked_lists: int = 0
    watched_from: list[str] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") != "true":
            self.asked_lists += 1
            make = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
            return make()
        self.watched_from.append(request.query["resourceVersion"])
        script = self.watches.pop(0) if len(self.watches) > 1 else self.watches[0]
        return await self._play(request, script) if isinstance(script, Watched) else script()

    async def _play(self, request: web.Request, script: Watched) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for piece in script.pieces:
            await response.write(piece)
        if script.end == "abort" and request.transport is not None:
            request.transport.abort()
        if script.end == "hang":
            await self.ended.wait()
        return response


def listed(*items: Object, version: str = "10") -> Answer:
    """A list's answer."""
    body = {"items": list(items), "metadata": {"resourceVersion": version}}
    return lambda: web.json_response(body)


@dataclass
class Seen:
    """What a ListWatch said so far."""

    events: list[WatchEvent[Object]] = field(default_factory=list)
    clock: QuickClock = field(default_factory=QuickClock)
    watch: ListWatch[Object] | None = None

    @property
    def states(self) -> list[str]:
        """The states in order."""
        return [event.state.value for event in self.events if isinstance(event, StateChanged)]

    def names(self, kind: type) -> list[str]:
        """Names of the objects of all events of this kind."""
        return [e.item["metadata"]["name"] for e in self.events if isinstance(e, kind)]  # type: ignore[union-attr]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition on what was seen."""
        async with asyncio.timeout(10):
            while True:
                if condition():
                    return
                await asyncio.sleep(0.001)


def named(item: Object) -> Object:
    """Reads an object as strictly as the feeds do: it must have a name."""
    return {**item, "name": item["metadata"]["name"]}


@asynccontextmanager
async def watching(
    folder: Path, server: WatchServer, *, sluggish: bool = False
) -> AsyncIterator[tuple[Seen, FakeApi]]:
    """Run a ListWatch of pods against that server. `sluggish`: no pause ever ends by itself."""
    seen = Seen(clock=QuickClock(sluggish=sluggish))

    async def read() -> None:
        watch = seen.watch = ListWatch(
            cluster, ListQuery(PODS, "ns"), named, clock=seen.clock, dice=random.Random(1)
        )
        async with aclosing(watch.events()) as events:
            async for event in events:
                seen.events.append(event)

    async with (
        fake_api(server) as api,
        await open_cluster(folder, api.url, seen.clock) as cluster,
    ):
        reader = asyncio.create_task(read())
        try:
            yield seen, api
        finally:
            server.ended.set()
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
