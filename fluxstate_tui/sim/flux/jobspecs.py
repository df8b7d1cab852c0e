"""Jobspecs (RFC 25) as `flux submit` of flux-core 0.88 makes them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

RLIMIT = {
    "cpu": -1, "fsize": -1, "data": -1, "stack": 8388608, "core": 0, "nofile": 20000, "as": -1,
    "rss": -1, "nproc": 96365,
}  # fmt: skip


@dataclass(slots=True)
class JobRequest:
    """What was asked for. `duration` in seconds, 0 = no limit; attributes by dotted key."""

    command: list[str]
    ntasks: int | None = None
    nnodes: int | None = None
    cores_per_task: int = 1
    duration: float = 0
    exclusive: bool = False
    cwd: str = "/"
    name: str = ""
    queue: str = ""
    output: str = ""
    input: str = ""
    dependencies: list[dict[str, Any]] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    shell_options: dict[str, Any] = field(default_factory=dict)

    def jobspec(self) -> dict[str, Any]:
        """The jobspec without environment."""
        resources, count = self._resources()
        task = {"command": self.command, "slot": "task", "count": count}
        spec: dict[str, Any] = {
            "resources": resources,
            "tasks": [task],
            "attributes": {"system": self._system()},
            "version": 1,
        }
        for key, value in self.attributes.items():
            set_attribute(spec["attributes"], key, value)
        return spec

    def _resources(self) -> tuple[list[dict[str, Any]], dict[str, int]]:
        count = {"per_slot": 1}
        core = [{"type": "core", "count": self.cores_per_task}]
        if self.nnodes is None:
            slot = {"type": "slot", "count": self.ntasks or 1, "with": core, "label": "task"}
            return [slot], count
        total = self.ntasks or self.nnodes
        each = -(-total // self.nnodes)
        if each * self.nnodes != total:
            count = {"total": total}
        slot = {"type": "slot", "count": each, "with": core, "label": "task"}
        node: dict[str, Any] = {"type": "node", "count": self.nnodes}
        if self.exclusive or self.ntasks is None:
            node["exclusive"] = True
        return [{**node, "with": [slot]}], count

    def _system(self) -> dict[str, Any]:
        system: dict[str, Any] = {"duration": self.duration, "cwd": self.cwd}
        if self.name:
            system["job"] = {"name": self.name}
        if self.queue:
            system["queue"] = self.queue
        if self.dependencies:
            system["dependencies"] = self.dependencies
        options: dict[str, Any] = dict(self.shell_options)
        if self.output:
            options["output"] = {"stdout": {"type": "file", "path": self.output}}
        if self.input:
            options["input"] = {"stdin": {"type": "file", "path": self.input}}
        system["shell"] = {"options": {**options, "rlimit": RLIMIT}}
        return system


def set_attribute(attributes: dict[str, Any], key: str, value: Any) -> None:
    """`user.x`, `system.x`, `.x` (top level) or `x` (system), created on the way."""
    if key.startswith("."):
        parts = key[1:].split(".")
    elif key.startswith(("user.", "system.")):
        parts = key.split(".")
    else:
        parts = ["system", *key.split(".")]
    for part in parts[:-1]:
        attributes = attributes.setdefault(part, {})
    attributes[parts[-1]] = value


def parse_value(text: str) -> Any:
    """JSON when it is that, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
