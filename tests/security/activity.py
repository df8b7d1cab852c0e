"""What this process does to this computer, as CPython's own audit events tell it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STARTS = frozenset(
    {
        *("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn"),
        *("os.spawn", "os.startfile", "pty.spawn", "ctypes.dlopen", "code.__new__"),
    }
)
"""Events of a process, or of code from outside of Python."""

LINKS = frozenset({"os.link", "os.symlink", "os.rename", "os.mkdir", "os.remove", "os.chmod"})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Activity:
    """What happened: processes that were started, texts that were compiled, files that were opened.

    A text counts when it has the mark in it: that is what the attack sent.
    """

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.started: list[str] = []
        self.compiled: list[str] = []
        self.written: list[str] = []
        self.reached: list[str] = []

    def take(self, event: str, args: tuple[Any, ...]) -> None:
        """One audit event."""
        if event in STARTS:
            self.started.append(f"{event} {args!r:.200}")
        elif event == "compile":
            text = args[0].decode("utf-8", "replace") if isinstance(args[0], bytes) else args[0]
            if isinstance(text, str) and self.mark in text:
                self.compiled.append(text)
        elif event == "open":
            self._opened(*args)
        elif event in LINKS:
            self.reached += [str(part) for part in args if self.mark in str(part)]

    def _opened(self, path: Any, _mode: Any, flags: Any) -> None:
        name = os.fsdecode(path) if isinstance(path, str | bytes) else ""
        if self.mark in name:
            self.reached.append(name)
        if name and flags & _WRITING and "__pycache__" not in name:
            self.written.append(name)

    @property
    def harm(self) -> list[str]:
        """Everything of it, in words."""
        return [
            *(f"started: {one}" for one in self.started),
            *(f"compiled: {one}" for one in self.compiled),
            *(f"written: {one}" for one in self.written),
            *(f"reached: {one}" for one in self.reached),
        ]


_WATCHING: list[Activity] = []


def _hook(event: str, args: tuple[Any, ...]) -> None:
    for activity in _WATCHING:
        activity.take(event, args)


@contextmanager
def watched(mark: str) -> Iterator[Activity]:
    """Audit everything that this process does in the block (a hook can never be taken away)."""
    if not _HOOKED:
        sys.addaudithook(_hook)
        _HOOKED.append(True)
    activity = Activity(mark)
    _WATCHING.append(activity)
    try:
        yield activity
    finally:
        _WATCHING.remove(activity)


_HOOKED: list[bool] = []
