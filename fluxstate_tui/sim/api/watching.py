"""Watch streams: history, live changes, BOOKMARKs and ERROR events, one JSON object per line."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from fluxstate_tui.sim.api import errors
from fluxstate_tui.sim.api.context import ApiContext
from fluxstate_tui.sim.api.json_types import JsonObject
from fluxstate_tui.sim.api.representation import Representation
from fluxstate_tui.sim.api.request import Target, is_true
from fluxstate_tui.sim.api.selectors import Matcher
from fluxstate_tui.sim.api.store import Change
from fluxstate_tui.sim.faults import STREAM_FAULTS, Fault

# What a server picks when the client names no timeout: 30 to 60 minutes.
_DEFAULT_TIMEOUT = (1800.0, 3600.0)
# The last bookmark comes that long before the end of a watch.
_LAST_BOOKMARK = 1.5


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """A watch as asked for; `version` None or 0 = start with everything there is."""

    target: Target
    matches: Matcher
    shape: Representation
    version: int | None
    bookmarks: bool
    timeout: float


def parse_watch(
    target: Target, matches: Matcher, shape: Representation, query: Mapping[str, str]
) -> WatchRequest:
    """Raises ApiError 422 for sendInitialEvents (off in 1.33), 500 for a garbage version."""
    if is_true(query.get("sendInitialEvents", "")):
        raise _no_initial_events()
    text = query.get("resourceVersion", "")
    if text and not text.isdigit():
        message = (
            f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": '
            "invalid syntax"
        )
        raise errors.ApiError(500, "", message)
    seconds = query.get("timeoutSeconds", "")
    timeout = float(seconds) if seconds.isdigit() else random.uniform(*_DEFAULT_TIMEOUT)
    version = int(text) if text else None
    bookmarks = is_true(query.get("allowWatchBookmarks", ""))
    return WatchRequest(target, matches, shape, version or None, bookmarks, timeout)


def _no_initial_events() -> errors.ApiError:
    message = (
        "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is "
        "enabled"
    )
    cause = {"reason": "FieldValueForbidden", "message": message, "field": "sendInitialEvents"}
    text = f'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: {message}'
    details = {"group": "meta.k8s.io", "kind": "ListOptions", "causes": [cause]}
    return errors.ApiError(422, "Invalid", text, details)


class WatchStream:
    """One open watch."""

    def __init__(self, context: ApiContext, request: web.Request, asked: WatchRequest) -> None:
        self._context = context
        self._request = request
        self._asked = asked
        self._queue: asyncio.Queue[Change] = asyncio.Queue()
        self._response = web.StreamResponse(headers={"Content-Type": "application/json"})
        self._response.enable_chunked_encoding()
        self._fault: Fault | None = None
        self._sent = 0
        self._restarts = context.restarts

    async def serve(self) -> web.StreamResponse:
        """Send events until the timeout, the client's leaving, or an error event."""
        store = self._context.store
        self._fault = self._context.faults.take(
            STREAM_FAULTS, self._request.method, self._request.path_qs
        )
        unsubscribe = store.subscribe(self._queue.put_nowait)
        try:
            await self._response.prepare(self._request)
            try:
                await self._replay()
                await self._follow()
            except errors.ApiError as error:
                await self._write("ERROR", error.body())
            except ConnectionError:
                return self._response
            await self._response.write_eof()
        finally:
            unsubscribe()
        return self._response

    async def _replay(self) -> None:
        """What was before: everything (no version), or the changes since a version."""
        asked, store = self._asked, self._context.store
        if self._fault is not None and self._fault.kind == "expire":
            raise errors.expired_watch(asked.version or 0, store.version)
        if asked.version is None:
            for obj in store.objects(asked.target.kind, asked.target.scope):
                if asked.matches(obj):
                    await self._write("ADDED", self._show(obj))
            return
        for change in store.since(asked.target.kind, asked.version):
            await self._send(change)

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._asked.timeout
        gap = self._context.bookmark_seconds
        next_bookmark = min(loop.time() + gap, end - _LAST_BOOKMARK)
        while (left := end - loop.time()) > 0:
            until = (
                min(left, max(0.0, next_bookmark - loop.time())) if self._asked.bookmarks else left
            )
            try:
                change = await asyncio.wait_for(self._queue.get(), until)
            except TimeoutError:
                if self._asked.bookmarks and loop.time() >= next_bookmark:
                    await self._bookmark()
                    next_bookmark = loop.time() + gap
                    if next_bookmark > end - _LAST_BOOKMARK > loop.time() + 0.1:
                        next_bookmark = end - _LAST_BOOKMARK
                continue
            if self._asked.version is not None and change.version <= self._asked.version:
                continue
            await self._send(change)

    def _show(self, obj: JsonObject) -> JsonObject:
        store = self._context.store
        return self._asked.shape.one(self._asked.target.kind, obj, store.now())

    async def _send(self, change: Change) -> None:
        """One change, seen through the selectors."""
        target = self._asked.target
        if change.kind != target.kind:
            return
        namespace = change.object["metadata"].get("namespace", "")
        if target.scope is not None and namespace != target.scope:
            return
        after = change.type != "DELETED" and self._asked.matches(change.object)
        before = change.before is not None and self._asked.matches(change.before)
        if after:
            await self._write("MODIFIED" if before else "ADDED", self._show(change.object))
        elif before:
            await self._write("DELETED", self._show(change.object))

    async def _bookmark(self) -> None:
        kind = self._asked.target.kind
        version = {"resourceVersion": str(self._context.store.version)}
        mark: JsonObject = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": version}
        if self._asked.shape.shape == "Table":
            mark = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": version,
                    "columnDefinitions": None, "rows": []}  # fmt: skip
        await self._write("BOOKMARK", mark)

    async def _write(self, event: str, obj: JsonObject) -> None:
        fault = self._fault
        if self._context.restarts != self._restarts or (
            fault is not None and fault.kind == "silent"
        ):
            await self._hang()
        if fault is not None and fault.kind == "cut" and self._sent >= fault.amount:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise ConnectionResetError
        self._sent += 1
        line = json.dumps({"type": event, "object": obj}, separators=(",", ":"), ensure_ascii=False)
        await self._response.write(line.encode() + b"\n")

    async def _hang(self) -> None:
        """Say nothing any more, but stay open."""
        await asyncio.Event().wait()
