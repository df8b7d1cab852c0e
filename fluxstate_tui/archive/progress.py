"""How far a long reading is, and the wish to end it: shared by a thread and whoever waits."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import TypeVar

from fluxstate_tui.errors import ExitCode, FluxstateError

# The end of a reading that nobody waits for any more.


class ReadingCancelledError(FluxstateError):
    """Whoever asked for the archive does not want it any more."""

    exit_code = ExitCode.INTERRUPTED


T = TypeVar("T")

_TURN_SECONDS = 0.001


class Reading:
    """Bytes done of a total (0 = not known yet), and what is being done, in one word."""

    def __init__(self) -> None:
        self.what = "reading"
        self.done = 0
        self.total = 0
        self._stopped = False

    def begin(self, what: str) -> None:
        """Another stretch of work, counted from nothing."""
        self.what, self.done, self.total = what, 0, 0

    def progress(self, done: int, total: int) -> None:
        """So much of it is done. Never goes back within one stretch."""
        self.done, self.total = max(done, self.done), total

    def stop(self) -> None:
        """Nobody waits for it any more."""
        self._stopped = True

    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    def go_on(self) -> None:
        """Raise ReadingCancelledError when nobody waits for it any more."""
        if self._stopped:
            raise ReadingCancelledError("Reading the archive was cancelled.")

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do `work` in a thread. A thread cannot be cancelled: it is asked to stop instead.

        Python's threads take turns every 5 ms. A screen that paints wants its turn several times
        for one frame, so from now on it waits 1 ms for each.
        """
        sys.setswitchinterval(_TURN_SECONDS)
        try:
            return await asyncio.to_thread(work)
        except asyncio.CancelledError:
            self.stop()
            raise
