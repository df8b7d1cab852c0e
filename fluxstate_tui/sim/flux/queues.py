"""Queues: the anonymous one or named ones, enabled and started or not (flux-core 0.88)."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fluxstate_tui.sim.flux.errors import FluxError


@dataclass(slots=True)
class QueueState:
    """One queue. The anonymous one has the name ''."""

    name: str
    enabled: bool = True
    started: bool = True
    disable_reason: str = ""
    stop_reason: str = ""

    def status(self) -> dict[str, Any]:
        """What `job-manager.queue-status` answers."""
        answer: dict[str, Any] = {"enable": self.enabled, "start": self.started}
        if not self.enabled:
            answer["disable_reason"] = self.disable_reason
        if not self.started and self.stop_reason:
            answer["stop_reason"] = self.stop_reason
        return answer


class Queues:
    """All queues of an instance. Named queues come up stopped, the anonymous one started."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._queues = {name: QueueState(name, started=False) for name in names}
        if not self._queues:
            self._queues[""] = QueueState("")

    @property
    def names(self) -> list[str]:
        """The named queues; [] when there is only the anonymous one."""
        return [name for name in self._queues if name]

    def all(self) -> list[QueueState]:
        """Every queue."""
        return list(self._queues.values())

    def get(self, name: str = "") -> QueueState:
        """EINVAL when there is no such queue."""
        if name in self._queues:
            return self._queues[name]
        raise FluxError(errno.EINVAL, f"'{name}' is not a valid queue" if name else "")

    def of_job(self, name: str) -> QueueState | None:
        """A job's queue, None when this instance does not have it (restored from another)."""
        return self._queues.get(name)

    @property
    def default(self) -> str:
        """Where a job goes that names no queue: the first one (policy.jobspec.defaults)."""
        return next(iter(self._queues))

    def select(self, name: str | None, every: bool) -> list[QueueState]:
        """The queues that a command is about. EINVAL when it must say which."""
        if name:
            return [self.get(name)]
        if not every and self.names:
            raise FluxError(errno.EINVAL, "Use --all to apply this command to all queues")
        return self.all()

    def checkpoint(self, max_jobid: int) -> bytes:
        """`checkpoint.job-manager`, as a clean shutdown writes it."""
        queues = []
        for queue in self.all():
            entry: dict[str, Any] = {"enable": queue.enabled, "start": queue.started}
            if queue.name:
                entry = {"name": queue.name, **entry}
            if not queue.enabled:
                entry["disable_reason"] = queue.disable_reason
            if not queue.started and queue.stop_reason:
                entry["stop_reason"] = queue.stop_reason
            queues.append(entry)
        value = {"version": 1, "max_jobid": max_jobid, "queue": queues}
        return json.dumps(value, separators=(",", ":")).encode()

    def restore(self, checkpoint: bytes, *, states: bool = True) -> int:
        """Take over a checkpoint, however stale it is; returns its `max_jobid`.

        Without `states` the queues stay as they came up.
        """
        value = json.loads(checkpoint)
        for entry in value.get("queue", ()) if states else ():
            queue = self._queues.get(entry.get("name", ""))
            if queue is None:
                continue
            queue.enabled = bool(entry.get("enable", True))
            queue.started = bool(entry.get("start", True))
            queue.disable_reason = str(entry.get("disable_reason", ""))
            queue.stop_reason = str(entry.get("stop_reason", ""))
        return int(value.get("max_jobid", 0))
