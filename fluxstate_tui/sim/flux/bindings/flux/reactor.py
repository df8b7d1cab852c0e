"""The event loop: answers, file descriptors and timers (in real seconds)."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Any

from .constants import FLUX_POLLIN, FLUX_POLLOUT
from .future import Future
from .wire import wire


class Watcher:
    """Started, stopped, destroyed; usable in `with`."""

    def __init__(self, handle: Any, callback: Callable[..., Any], args: Any) -> None:
        self.flux_handle = handle
        self.callback = callback
        self.args = args

    def start(self) -> Watcher:
        """Begin to call back."""
        self.flux_handle.reactor.watchers[self] = None
        return self

    def stop(self) -> Watcher:
        """Call back no more."""
        self.flux_handle.reactor.watchers.pop(self, None)
        return self

    def destroy(self) -> None:
        """As stop."""
        self.stop()

    def __enter__(self) -> Watcher:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()


class TimerWatcher(Watcher):
    """Calls `callback(handle, watcher, revents, args)` after `after` s, then every `repeat` s."""

    def __init__(
        self, handle: Any, after: float, callback: Callable[..., Any], repeat: float, args: Any
    ) -> None:
        super().__init__(handle, callback, args)
        self.after = after
        self.repeat = repeat
        self.due = 0.0

    def start(self) -> Watcher:
        """Count from now."""
        self.due = time.monotonic() + self.after
        return super().start()

    def fire(self) -> None:
        """It is due."""
        if self.repeat:
            self.due = max(self.due + self.repeat, time.monotonic())
        else:
            self.stop()
        self.callback(self.flux_handle, self, 0, self.args)


class FdWatcher(Watcher):
    """Calls `callback(handle, watcher, fd, revents, args)` when the descriptor is ready."""

    def __init__(
        self, handle: Any, fd: int, events: int, callback: Callable[..., Any], args: Any
    ) -> None:
        super().__init__(handle, callback, args)
        self.fd_int = fd
        self.events = events


class Reactor:
    """Runs until it is stopped or nothing is left to wait for."""

    def __init__(self) -> None:
        self.watchers: dict[Watcher, None] = {}
        self._futures: dict[Future, None] = {}
        self._ready: dict[Future, None] = {}
        self._stopped = False

    def add(self, future: Future) -> None:
        """A future with a callback."""
        self._futures[future] = None
        if future.is_ready():
            self._ready[future] = None

    def remove(self, future: Future) -> None:
        """It is done."""
        self._futures.pop(future, None)

    def ready(self, future: Future) -> None:
        """It has an answer."""
        if future in self._futures:
            self._ready[future] = None

    def stop(self) -> None:
        """Leave `run` after this callback."""
        self._stopped = True

    def run(self) -> int:
        """Until `stop`, or until there is nothing to wait for."""
        self._stopped = False
        while not self._stopped and (self._futures or self.watchers or self._ready):
            if self._run_ready():
                continue
            self._poll()
        return 0

    def _run_ready(self) -> bool:
        """Call back for answers; True when something was done."""
        ready, self._ready = list(self._ready), {}
        done = False
        for future in ready:
            if self._stopped:
                self._ready[future] = None
                continue
            if future.run_callback():
                done = True
                if future in self._futures and future.is_ready():
                    self._ready[future] = None
        return done

    def _poll(self) -> None:
        timers = [watcher for watcher in self.watchers if isinstance(watcher, TimerWatcher)]
        files = [watcher for watcher in self.watchers if isinstance(watcher, FdWatcher)]
        now = time.monotonic()
        timeout = max(0.0, min(timer.due for timer in timers) - now) if timers else None
        connection = wire()
        readers = [watcher.fd_int for watcher in files if watcher.events & FLUX_POLLIN]
        if not connection.lost:
            readers.append(connection.fileno())
        writers = [watcher.fd_int for watcher in files if watcher.events & FLUX_POLLOUT]
        if not readers and not writers and timeout is None:
            self._stopped = True
            return
        readable, writable, _ = select.select(readers, writers, [], timeout)
        if connection.fileno() in readable:
            connection.read()
        self._fire(files, readable, writable)
        for timer in timers:
            if timer.due <= time.monotonic() and timer in self.watchers:
                timer.fire()

    def _fire(self, files: list[FdWatcher], readable: list[int], writable: list[int]) -> None:
        for watcher in files:
            revents = FLUX_POLLIN * (watcher.fd_int in readable)
            revents |= FLUX_POLLOUT * (watcher.fd_int in writable)
            if revents and watcher in self.watchers:
                watcher.callback(
                    watcher.flux_handle, watcher, watcher.fd_int, revents, watcher.args
                )
