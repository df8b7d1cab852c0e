"""What an archive says of its instance: starts, resources, queues (ARCHITECTURE.md#F8)."""

from __future__ import annotations

import json
from typing import Any

from fluxstate_tui.archive import names
from fluxstate_tui.archive.findings import Findings, Kind
from fluxstate_tui.flux import eventlog as eventlogs
from fluxstate_tui.flux import loader
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.queue import Queue
from fluxstate_tui.flux.resources import ResourceSet


class Instance:
    """Filled from the instance's own members; broken ones give findings."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.starts: tuple[Event, ...] = ()
        self.core_version = ""
        self.resources: ResourceSet | None = None
        self.queues: tuple[Queue, ...] | None = None
        self.max_jobid: int | None = None

    def take(self, name: str, data: bytes) -> bool:
        """Read one of `names.INSTANCE_FILES`. False if it cannot be read."""
        refusal = _JUDGES[name](data) if name in _JUDGES else None
        if refusal is not None:
            self._findings.refuse(name, refusal)
        try:
            if name == names.ADMIN_EVENTLOG:
                self._take_starts(data)
            elif name == names.INSTANCE_R:
                self.resources = ResourceSet.parse(json.loads(data))
            elif name == names.CHECKPOINT:
                self._take_checkpoint(json.loads(data))
        except (ValueError, RecursionError, TypeError, AttributeError) as error:
            if refusal is None:
                self._findings.add(Kind.DAMAGED, name, f"it cannot be read ({error})")
            return False
        return True

    def _take_starts(self, data: bytes) -> None:
        self.starts = tuple(eventlogs.parse(data))
        for event in self.starts:
            version = event.context.get("core_version")
            if event.name == "start" and isinstance(version, str):
                self.core_version = version

    def _take_checkpoint(self, value: Any) -> None:
        if not isinstance(value, dict):
            raise ValueError("not an object")
        max_jobid = value.get("max_jobid")
        if isinstance(max_jobid, bool) or not isinstance(max_jobid, int):
            raise ValueError("it has no max_jobid: Flux would take any number for it")
        if 0 <= max_jobid < 1 << 64:
            self.max_jobid = max_jobid
        queues = value.get("queue")
        if queues is None:
            return
        self.queues = tuple(_queue(one) for one in queues)


_JUDGES = {
    names.CHECKPOINT: loader.judge_checkpoint,
    names.RESOURCE_EVENTLOG: loader.judge_resources,
}


def _queue(value: Any) -> Queue:
    return Queue(
        name=str(value.get("name", "")),
        enabled=bool(value.get("enable", True)),
        started=bool(value.get("start", True)),
        # flux-core 0.44 to 0.46 knew only that a queue is disabled, and called this "reason".
        disable_reason=str(value.get("disable_reason", value.get("reason", ""))),
        stop_reason=str(value.get("stop_reason", "")),
    )
