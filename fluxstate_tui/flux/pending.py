"""Requests on their way: each has a number, and waits for its one reply."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from fluxstate_tui.flux.protocol import More, Reply

Listener = Callable[[Any], None]


class Pending:
    """The requests of one conversation."""

    def __init__(self) -> None:
        self._replies: dict[int, asyncio.Future[Reply]] = {}
        self._listeners: dict[int, Listener] = {}
        self._last = 0

    def line(self, do: str, args: dict[str, Any]) -> tuple[int, bytes]:
        """A new request: its number, and the line that makes it."""
        self._last += 1
        fields = {"id": self._last, "do": do, **args}
        return self._last, json.dumps(fields).encode("ascii") + b"\n"

    def expect(self, number: int, listen: Listener | None) -> asyncio.Future[Reply]:
        """The reply to come; `listen` gets what comes before it."""
        if listen is not None:
            self._listeners[number] = listen
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._replies[number] = future
        return future

    def forget(self, number: int) -> None:
        """Nobody waits for it any more."""
        self._replies.pop(number, None)
        self._listeners.pop(number, None)

    def take(self, message: Reply | More) -> None:
        """Hand it to whoever waits for it."""
        if isinstance(message, More):
            listen = self._listeners.get(message.id)
            if listen is not None:
                listen(message.value)
            return
        future = self._replies.get(message.id or 0)
        if future is not None and not future.done():
            future.set_result(message)

    def fail(self, error: Exception) -> None:
        """No reply comes any more."""
        for future in self._replies.values():
            if not future.done():
                future.set_exception(error)
