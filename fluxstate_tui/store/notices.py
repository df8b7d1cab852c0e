"""Change notices for the screens: one per interval at most, none when nothing changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fluxstate_tui.store.changes import Changes
from fluxstate_tui.store.store import Store

Listener = Callable[[Changes], None]


class Notices:
    """Tells listeners what changed. The first change after a quiet time is told at once.

    `interval` is in seconds: bursts are coalesced into one notice per interval, so a thousand
    events cost one repaint. Must be used inside a running event loop.
    """

    def __init__(self, store: Store, interval: float = 0.15) -> None:
        self._store = store
        self._interval = interval
        self._listeners: list[Listener] = []
        self._pending: asyncio.TimerHandle | None = None
        self._last = float("-inf")
        store.on_dirty = self._wake

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every notice until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def __len__(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def close(self) -> None:
        """Tell nobody anything any more."""
        self._store.on_dirty = None
        if self._pending is not None:
            self._pending.cancel()

    def _wake(self) -> None:
        if self._pending is None:
            loop = asyncio.get_running_loop()
            due = max(loop.time(), self._last + self._interval)
            self._pending = loop.call_at(due, self._tell)

    def _tell(self) -> None:
        self._pending = None
        self._last = asyncio.get_running_loop().time()
        changes = self._store.take_changes()
        if changes:
            for listener in tuple(self._listeners):
                listener(changes)
