"""Submit jobs: a jobspec (RFC 25, version 1) from the options of `flux submit`, sent N times."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from fluxstate_tui.flux.command import FluxFailed

if TYPE_CHECKING:
    from fluxstate_tui.flux.session import FluxSession


AT_ONCE: Final = 200
"""Submissions that wait for their answers at the same time: Flux takes them in batches."""


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """What `flux submit` takes. `duration` is the time limit in seconds, 0 = none.

    `dependencies` are written as on Flux's command line: `afterok:ID`. Environment and directory
    are those of the lead's container, unless `cwd` or `environment` say otherwise.
    """

    command: tuple[str, ...]
    ntasks: int = 1
    nnodes: int | None = None
    cores_per_task: int = 1
    gpus_per_task: int = 0
    duration: float = 0.0
    name: str = ""
    queue: str = ""
    dependencies: tuple[str, ...] = ()
    urgency: int = 16
    copies: int = 1
    cwd: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Raises ValueError for what no Flux would take."""
        if not self.command:
            raise ValueError("There is no command to submit.")
        for what, value in (("tasks", self.ntasks), ("cores", self.cores_per_task)):
            if value < 1:
                raise ValueError(f"A job needs at least 1 of its {what}, not {value}.")
        if self.nnodes is not None and not 1 <= self.nnodes <= self.ntasks:
            raise ValueError(f"{self.ntasks} tasks cannot be put on {self.nnodes} nodes.")
        if not 0 <= self.urgency <= 31:
            raise ValueError(f"An urgency is from 0 (held) to 31, not {self.urgency}.")
        if self.copies < 1:
            raise ValueError(f"{self.copies} copies are no job.")

    def jobspec(self) -> dict[str, Any]:
        """The jobspec, without the environment. Raises ValueError."""
        self.check()
        slots, count = self.ntasks, {"per_slot": 1}
        if self.nnodes is not None:
            slots = math.ceil(self.ntasks / self.nnodes)
            if self.ntasks % self.nnodes:
                count = {"total": self.ntasks}
        inside: list[dict[str, Any]] = [{"type": "core", "count": self.cores_per_task}]
        if self.gpus_per_task:
            inside.append({"type": "gpu", "count": self.gpus_per_task})
        slot = {"type": "slot", "count": slots, "with": inside, "label": "task"}
        resources: list[dict[str, Any]] = [slot]
        if self.nnodes is not None:
            resources = [{"type": "node", "count": self.nnodes, "with": [slot]}]
        return {
            "version": 1,
            "resources": resources,
            "tasks": [{"command": list(self.command), "slot": "task", "count": count}],
            "attributes": {"system": self._system()},
        }

    def _system(self) -> dict[str, Any]:
        system: dict[str, Any] = {"duration": self.duration}
        if self.cwd:
            system["cwd"] = self.cwd
        if self.environment:
            system["environment"] = dict(self.environment)
        if self.name:
            system["job"] = {"name": self.name}
        if self.queue:
            system["queue"] = self.queue
        if self.dependencies:
            system["dependencies"] = [parse_dependency(text) for text in self.dependencies]
        return system


@dataclass(frozen=True, slots=True)
class Submitted:
    """The ids of the new jobs, and Flux's words about those that it refused."""

    ids: tuple[int, ...]
    errors: tuple[str, ...]


async def submit(session: FluxSession, options: SubmitOptions) -> Submitted:
    """Submit `options.copies` jobs. Raises ValueError, SessionLost."""
    jobspec = options.jobspec()
    timeout = 30.0 + options.copies / 20
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> int:
        async with gate:
            return await session.submit(jobspec, options.urgency, timeout=timeout)

    answers = await asyncio.gather(*(one() for _ in range(options.copies)), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, FluxFailed):
            raise answer
    ids = sorted(answer for answer in answers if isinstance(answer, int))
    errors = (answer.said for answer in answers if isinstance(answer, FluxFailed))
    return Submitted(tuple(ids), tuple(errors))


def tutorial_loop(rounds: int = 5) -> tuple[SubmitOptions, ...]:
    """What the tutorials submit: `sleep i` and `whoami`, for i from 1 to `rounds`."""
    whoami = SubmitOptions(command=("whoami",))
    pairs = [(replace(whoami, command=("sleep", str(i))), whoami) for i in range(1, rounds + 1)]
    return tuple(options for pair in pairs for options in pair)


def parse_dependency(text: str) -> dict[str, Any]:
    """`SCHEME:VALUE` as a dependency of RFC 26. Raises ValueError."""
    scheme, separator, value = text.partition(":")
    if not separator or not scheme or not value:
        raise ValueError(f"'{text}' is no dependency: write afterok:ID, afterany:ID or the like.")
    if scheme == "begin-time":
        return {"scheme": scheme, "value": value, "timestamp": float(value)}
    return {"scheme": scheme, "value": value}
