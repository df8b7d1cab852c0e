"""Questions on a terminal."""

from __future__ import annotations

import signal
import sys

from fluxstate_tui.model.text import plain


def asks() -> bool:
    """Whether somebody sits there who can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> str:
    """What was typed; the question goes to stderr. Raises KeyboardInterrupt for Ctrl-C."""
    print(plain(question), end="", file=sys.stderr, flush=True)
    # asyncio only takes a note of Ctrl-C, for when the answer is there.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return sys.stdin.readline().strip()
    finally:
        signal.signal(signal.SIGINT, before)
