"""A stand-in for Flux's Python bindings, for the remote program alone: a scripted broker.

What the broker does is in the file named by $STANDIN, as JSON; see `Script` in the tests. Only the
calls that flux/remote_program.py makes exist here.
"""

from __future__ import annotations

import errno
import json
import os
import selectors
import time
from collections.abc import Callable
from typing import Any

if os.environ.get("STANDIN_NO_BINDINGS"):
    raise ImportError("No module named '_flux'")


class Future:
    """An answer, an error, or (streaming) a row of answers."""

    def __init__(self, handle: Flux, answers: list[Any]) -> None:
        self.handle = handle
        self.answers = answers
        self.then_callback: Callable[[Future], None] | None = None
        self.pimpl = self

    def get_matchtag(self) -> int:
        return 7

    def then(self, callback: Callable[[Future], None]) -> Future:
        self.then_callback = callback
        if self.answers[0] != "silence":
            self.handle.ready.append(self)
        return self

    def reset(self) -> None:
        answered = self.answers.pop(0)
        if not self.answers:
            return
        if isinstance(answered, dict) and answered.get("id", -1) != -1:
            self.handle.ready.insert(0, self)  # the journal's history comes all at once
        else:
            self.handle.ready.append(self)

    def get_str(self) -> str:
        answer = self.answers[0]
        if isinstance(answer, dict) and "errno" in answer:
            raise OSError(answer["errno"], answer["text"])
        return json.dumps(answer)

    def get(self) -> Any:
        return json.loads(self.get_str())

    def get_id(self) -> int:
        return int(self.get()["id"])


class Watcher:
    """A timer or a file descriptor."""

    def __init__(self, handle: Flux, call: Callable[[Watcher], None]) -> None:
        self.handle = handle
        self.call = call
        self.fd = -1
        self.after = self.repeat = self.due = 0.0

    def start(self) -> None:
        if self.fd >= 0:
            self.handle.selector.register(self.fd, selectors.EVENT_READ, self)
        else:
            self.due = time.monotonic() + self.after
            self.handle.timers.append(self)

    def stop(self) -> None:
        if self.fd >= 0:
            self.handle.selector.unregister(self.fd)


class Flux:
    """The handle: answers by topic, each topic's list once through and then its last one."""

    def __init__(self) -> None:
        with open(os.environ["STANDIN"], encoding="utf-8") as file:
            script = json.load(file)
        if "cannot_connect" in script:
            raise OSError(errno.ECONNREFUSED, script["cannot_connect"])
        self.answers: dict[str, list[Any]] = script["answers"]
        self.attributes: dict[str, str] = script["attributes"]
        self.selector = selectors.DefaultSelector()
        self.timers: list[Watcher] = []
        self.ready: list[Future] = []
        self.running = True

    def attr_get(self, name: str) -> str:
        if name not in self.attributes:
            raise OSError(errno.ENOENT, name)
        return self.attributes[name]

    def rpc(self, topic: str, payload: Any, _node: int = 0, flags: int = 0) -> Future:
        with open(os.environ["STANDIN"] + ".log", "a", encoding="utf-8") as log:
            log.write(json.dumps([topic, payload]) + "\n")
        answers = self.answers.get(topic)
        if answers is None:
            answers = [{"errno": errno.ENOSYS, "text": f"No service matching {topic}"}]
        if answers[0] == "hangup":
            self.running = False  # as when the broker is killed: the reactor simply returns
        if flags & 2:
            return Future(self, list(answers))
        return Future(self, [answers.pop(0) if len(answers) > 1 else answers[0]])

    def timer_watcher_create(
        self, after: float, callback: Callable[..., None], repeat: float = 0.0
    ) -> Watcher:
        watcher = Watcher(self, lambda watcher: callback(self, watcher, 0, None))
        watcher.after, watcher.repeat = after * 0.01, repeat * 0.01
        return watcher

    def fd_watcher_create(self, fd: int, callback: Callable[..., None], _events: int) -> Watcher:
        watcher = Watcher(self, lambda watcher: callback(self, watcher, fd, 1, None))
        watcher.fd = fd
        return watcher

    def reactor_stop(self) -> None:
        self.running = False

    def reactor_run(self) -> None:
        while self.running:
            while self.ready and self.running:
                future = self.ready.pop(0)
                assert future.then_callback is not None
                future.then_callback(future)
            if not self.running:
                return
            for key, _events in self.selector.select(0.002):
                key.data.call(key.data)
            for watcher in self.timers:
                if time.monotonic() >= watcher.due:
                    watcher.due += watcher.repeat
                    watcher.call(watcher)
