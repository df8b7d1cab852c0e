"""Questions on a terminal."""

from __future__ import annotations

import os
import select
import signal
import sys

from fluxstate_tui import termination
from fluxstate_tui.formatting import plain


def asks() -> bool:
    """Whether somebody sits there who can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> str:
    """What was typed; the question goes to stderr. Raises KeyboardInterrupt when asked to end."""
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    # asyncio only takes a note of a signal, for when the answer is there.
    before = {number: signal.getsignal(number) for number in termination.SIGNALS}
    termination.begin()
    before_fd = signal.set_wakeup_fd(wakes)
    try:
        print(plain(question), end="", file=sys.stderr, flush=True)
        # Not in the read itself: a signal that comes just before it would not end it.
        select.select([sys.stdin, woken], [], [])
        return sys.stdin.readline().strip()
    finally:
        signal.set_wakeup_fd(before_fd)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(woken)
        os.close(wakes)
