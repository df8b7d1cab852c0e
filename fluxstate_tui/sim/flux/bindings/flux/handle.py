"""The handle to a broker."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from . import container
from .constants import (
    FLUX_NODEID_ANY,
    FLUX_POLLERR,
    FLUX_POLLIN,
    FLUX_POLLOUT,
    FLUX_RPC_NORESPONSE,
    FLUX_RPC_STREAMING,
)
from .future import Future
from .reactor import FdWatcher, Reactor, TimerWatcher
from .wire import wire


class Flux:
    """An open connection. OSError when there is no broker."""

    def __init__(self, url: str | None = None, flags: int = 0) -> None:
        self.reactor = Reactor()
        wire().call({"do": "connect", "uri": url})
        container.use_clock(wire().now)

    def rpc(
        self,
        topic: str,
        payload: Any = None,
        nodeid: int = FLUX_NODEID_ANY,
        flags: int = 0,
        future: Future | None = None,
    ) -> Future:
        """Ask a service. The payload is a dict, a JSON text, or None."""
        answer = Future(self) if future is None else future
        if isinstance(payload, str):
            payload = json.loads(payload)
        request = {
            "do": "rpc",
            "topic": topic,
            "payload": payload,
            "stream": bool(flags & FLUX_RPC_STREAMING),
        }
        take = None if flags & FLUX_RPC_NORESPONSE else answer.take
        answer.number = wire().send(request, take)
        return answer

    def attr_get(self, name: str) -> str:
        """A broker attribute. OSError ENOENT when there is none."""
        return str(wire().call({"do": "attr", "name": name})["ok"]["value"])

    def attr_set(self, name: str, value: str) -> None:
        """Set a broker attribute."""
        self.rpc("attr.set", {"name": name, "value": value}).get()

    def get_rank(self) -> int:
        """This broker's rank."""
        return int(self.attr_get("rank"))

    def timer_watcher_create(
        self, after: float, callback: Callable[..., Any], repeat: float = 0.0, args: Any = None
    ) -> TimerWatcher:
        """A timer, to be started."""
        return TimerWatcher(self, after, callback, repeat, args)

    def fd_watcher_create(
        self, fd_int: int, callback: Callable[..., Any], events: int | None = None, args: Any = None
    ) -> FdWatcher:
        """A descriptor's watcher, to be started. Without `events` it watches all of them."""
        wanted = FLUX_POLLIN | FLUX_POLLOUT | FLUX_POLLERR if events is None else events
        return FdWatcher(self, fd_int, wanted, callback, args)

    def reactor_run(self, _reactor: Any = None, _flags: int = 0) -> int:
        """Run callbacks until stopped; an exception in one of them comes out here."""
        return self.reactor.run()

    def reactor_stop(self, _reactor: Any = None) -> None:
        """End `reactor_run`."""
        self.reactor.stop()

    def close(self) -> None:
        """The process's connection stays open for other handles."""
