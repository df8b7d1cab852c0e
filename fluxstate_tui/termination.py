"""How the program is asked to end from outside: one way for the command line and the dashboard.

Ctrl-C, SIGTERM, SIGHUP and a terminal that went away ask: what runs undoes what it did, or
finishes what cannot be taken back, and the exit code is 130. Asked once more it hurries: what is
not put back within seconds is left, and the journal says what (`fluxstate-tui unfinished`).
A signal that was ignored when the program began (`nohup`) stays ignored.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A terminal that closes sends several at once: the kernel to the foreground, the shell to its jobs.
BURST_SECONDS = 1.0


class Termination:
    """`ask` is called when the program is first asked to end, `hurry` each later time."""

    def __init__(self, ask: Callable[[], object], hurry: Callable[[], object]) -> None:
        self._ask = ask
        self._hurry = hurry
        self._asked_at: float | None = None

    def request(self) -> None:
        """Ask, or hurry."""
        now = time.monotonic()
        if self._asked_at is None:
            self._asked_at = now
            self._ask()
        elif now - self._asked_at >= BURST_SECONDS:
            self._hurry()


_innermost: list[Termination] = []


def request() -> None:
    """Ask the program to end, in the thread of its event loop; what was entered last is asked."""
    if _innermost:
        _innermost[-1].request()


def begin() -> None:
    """Outside of an event loop all of them end it as Ctrl-C does, by KeyboardInterrupt."""
    for number in _listened_to():
        signal.signal(number, signal.default_int_handler)


@contextmanager
def on_request(ask: Callable[[], object], hurry: Callable[[], object]) -> Iterator[None]:
    """Within the block and its running event loop: call these when the program is asked to end."""
    import asyncio

    loop = asyncio.get_running_loop()
    mine = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in _listened_to() if mine}
    for number in before:
        loop.add_signal_handler(number, request)
    _innermost.append(Termination(ask, hurry))
    try:
        yield
    finally:
        _innermost.pop()
        for number, handler in before.items():
            if _innermost:
                loop.add_signal_handler(number, request)
            else:
                loop.remove_signal_handler(number)
                signal.signal(number, handler)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command in an event loop of its own; asked to end, it is cancelled.

    Raises KeyboardInterrupt when it then has not returned an exit code.
    """
    import asyncio

    try:
        return asyncio.run(_cancelled_on_request(work))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _cancelled_on_request(work: Coroutine[Any, Any, T]) -> T:
    import asyncio

    task = asyncio.current_task()
    assert task is not None
    with on_request(task.cancel, task.cancel):
        return await work


def _listened_to() -> list[signal.Signals]:
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
