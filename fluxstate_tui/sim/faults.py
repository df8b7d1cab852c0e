"""Faults that tests (and POST /sim/faults) switch on: what a real cluster does on a bad day.

A fault applies to requests by method and path pattern, `count` times (-1 = until cleared), after
letting `skip` matching requests pass.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

REQUEST_FAULTS = ("drop", "status", "page", "slow", "hang", "lost-answer")
STREAM_FAULTS = ("silent", "cut", "expire")
EXEC_FAULTS = ("exec-cut", "exec-no-status", "exec-truncate", "exec-killed")
STDIN_FAULTS = ("stdin-cut", "stdin-lost", "stdin-killed")
CLUSTER_FAULTS = (
    "restart-api", "evict-pod", "kill-lead", "lose-node", "fail-dump", "fill-disk", "slow-flux",
    "compact",
)  # fmt: skip
STDIN = "STDIN"


@dataclass(slots=True)
class Fault:
    """One fault.

    drop: the connection dies before anything happens. lost-answer: it dies after the effect.
    status: `code` with a Status (`seconds` = Retry-After, 0 = none). page: `code` with HTML, as a
    proxy answers that lets nothing through. slow: `seconds` (real) late.
    hang: no answer until the client leaves. silent: a watch says nothing any more. cut: a watch
    dies after `amount` events. expire: a watch gets an ERROR event with code 410. exec-cut: the
    connection of an exec dies after `amount` bytes of stdout, or at its end; exec-no-status: it
    ends with close 1000 but no Status; exec-truncate: stdout ends after `amount` bytes, with
    Success; exec-killed: its process dies of SIGKILL, before it did anything (`amount` 0) or when
    it was done (1). stdin-cut: the connection of an exec dies with what the client just sent;
    stdin-lost: that arrives, but the connection dies before any answer; stdin-killed: its process
    dies of SIGKILL.
    """

    kind: str
    method: str = ""
    path: str = ""
    count: int = 1
    skip: int = 0
    code: int = 500
    seconds: float = 0.0
    amount: int = 0
    message: str = ""

    def matches(self, method: str, path: str) -> bool:
        """Whether the fault means that request."""
        return (not self.method or self.method == method) and re.search(self.path, path) is not None


ClusterAction = Callable[[dict[str, Any]], Awaitable[None]]
Gate = Callable[[str, str], Awaitable[None]]


class Faults:
    """The faults that are on, and those that are done to the cluster at once.

    `gate` sees every request (method and path), and every message of a client to an exec (STDIN,
    path and what it says), before it has any effect; it may count them, or switch a fault on.
    """

    def __init__(self) -> None:
        self.active: list[Fault] = []
        self.gate: Gate | None = None
        self._actions: dict[str, ClusterAction] = {}

    def add(self, kind: str, **options: Any) -> Fault:
        """Switch a fault on; options are the fields of Fault. Raises ValueError if unknown."""
        if kind not in (*REQUEST_FAULTS, *STREAM_FAULTS, *EXEC_FAULTS, *STDIN_FAULTS):
            raise ValueError(f"unknown fault {kind!r}")
        known = {field.name for field in fields(Fault)}
        if unknown := set(options) - known:
            raise ValueError(f"unknown option {sorted(unknown)[0]!r} of fault {kind!r}")
        fault = Fault(kind, **options)
        re.compile(fault.path)
        self.active.append(fault)
        return fault

    def clear(self) -> None:
        """Switch all off."""
        self.active.clear()

    def take(self, kinds: tuple[str, ...], method: str, path: str) -> Fault | None:
        """The first fault of those kinds for a request; it is used up by one."""
        for fault in list(self.active):
            if fault.kind not in kinds or not fault.matches(method, path):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.count > 0:
                fault.count -= 1
                if fault.count == 0:
                    self.active.remove(fault)
            return fault
        return None

    async def meet(self, method: str, path: str, kinds: tuple[str, ...]) -> Fault | None:
        """Let the gate see a request; then as `take`."""
        if self.gate is not None:
            await self.gate(method, path)
        return self.take(kinds, method, path)

    def on(self, kind: str, action: ClusterAction) -> None:
        """Let the cluster say how it does a fault of CLUSTER_FAULTS."""
        self._actions[kind] = action

    async def do(self, kind: str, **options: Any) -> None:
        """Do something to the cluster now:

        restart-api(seconds) · evict-pod(namespace, pod) · kill-lead(namespace, minicluster) ·
        lose-node(seconds: of the clock, until another node is there) ·
        fail-dump(namespace, minicluster, message; message "" ends it) · fill-disk(path, free) ·
        slow-flux(namespace, minicluster, seconds) · compact(). Raises ValueError if unknown.
        """
        action = self._actions.get(kind)
        if action is None:
            raise ValueError(f"unknown fault {kind!r}")
        await action(options)

    async def request(self, body: dict[str, Any]) -> None:
        """A fault as JSON: {"kind": ..., options ...}. Raises ValueError."""
        options = {key: value for key, value in body.items() if key != "kind"}
        kind = str(body.get("kind", ""))
        if kind in CLUSTER_FAULTS:
            await self.do(kind, **options)
        else:
            self.add(kind, **options)

    def listing(self) -> list[dict[str, Any]]:
        """The faults that are on, as JSON."""
        return [asdict(fault) for fault in self.active]
