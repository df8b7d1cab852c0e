"""Futures: an answer that may not be there yet, or a stream of them."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable
from typing import Any

from .wire import Message, check, wire


class _Inner:
    """What programs reach as `future.pimpl`."""

    def __init__(self, future: Future) -> None:
        self._future = future

    def get_matchtag(self) -> int:
        """The request's number, for cancelling a stream."""
        return self._future.number


class Future:
    """The answers to one RPC. `get` and `get_str` block outside of the reactor."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._answers: deque[Message] = deque()
        self._callback: Callable[[], None] | None = None
        self._called = False
        self.number = 0
        self.pimpl = _Inner(self)

    def take(self, message: Message) -> None:
        """An answer has come."""
        self._answers.append(message)
        self._handle.reactor.ready(self)

    def then(self, callback: Callable[..., Any], *args: Any, timeout: float = -1.0) -> Future:
        """Call it from the reactor for every answer (with `reset` between them)."""
        self._callback = lambda: callback(self, *args)
        self._handle.reactor.add(self)
        return self

    def run_callback(self) -> bool:
        """The reactor: call back if there is something new. False when there is nothing to do."""
        if self._callback is None or not self._answers or self._called:
            return False
        self._called = True
        self._callback()
        if self._called:
            self._handle.reactor.remove(self)
        return True

    @property
    def waiting(self) -> bool:
        """Whether the reactor has to stay alive for it."""
        return self._callback is not None and not self._called

    def reset(self) -> None:
        """Go on to the next answer of a stream."""
        if self._answers:
            self._answers.popleft()
        self._called = False

    def is_ready(self) -> bool:
        """Whether `get` would not block."""
        return bool(self._answers)

    def wait_for(self, timeout: float = -1.0) -> Future:
        """Block until there is an answer."""
        while not self._answers:
            wire().read()
        return self

    def get(self) -> Any:
        """The answer as a dict, None when it is empty. OSError when it is an error."""
        self.wait_for()
        return check(self._answers[0]).get("ok")

    def get_str(self) -> str | None:
        """The answer as text."""
        value = self.get()
        return None if value is None else json.dumps(value)

    def error_string(self) -> str:
        """The text of an error answer."""
        answer = self.wait_for()._answers[0]
        return str(answer.get("text") or os.strerror(int(answer.get("errno", 0))))
