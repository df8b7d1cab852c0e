"""Submit jobs: a jobspec (RFC 25, version 1) from the options of `flux submit`, sent N times."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from fluxstate_tui.broker.commands import Executor, FluxFailed
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.jobid import parse_job_id
from fluxstate_tui.tasks import Course, work_off

if TYPE_CHECKING:
    from fluxstate_tui.broker.locate import Endpoint
    from fluxstate_tui.broker.session import FluxSession


AT_ONCE: Final = 200
"""Submissions that wait for their answers at the same time: Flux takes them in batches."""
TIMEOUT: Final = 30.0 + AT_ONCE / 20
BY_COMMAND: Final = 500
"""Jobs of one `flux submit`: between two of them it can be stopped."""


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
    """The ids of the new jobs, as Flux gave them, and Flux's words about those that it refused.

    `unanswered` were sent and may have been taken or not, because of `lost`.
    """

    ids: tuple[int, ...]
    errors: tuple[str, ...]
    unanswered: int = 0
    lost: FluxstateError | None = None


async def submit(
    session: FluxSession, options: SubmitOptions, course: Course | None = None
) -> Submitted:
    """Submit `options.copies` jobs, or as many until the course is stopped. Raises ValueError.

    It stops by itself when the session is lost, and when all of the first AT_ONCE are refused.
    Raises what ended the session if nothing was answered before.
    """
    jobspec = options.jobspec()
    course = course or Course(options.copies)
    ids: list[int] = []
    errors: list[str] = []
    lost: list[FluxstateError] = []

    async def one(_number: int) -> bool:
        try:
            ids.append(await session.submit(jobspec, options.urgency, timeout=TIMEOUT))
        except FluxFailed as error:
            errors.append(error.said)
            if not ids and len(errors) >= AT_ONCE:
                course.stop()
            return False
        except FluxstateError as error:
            lost.append(error)
            course.stop()
            return False
        return True

    await work_off(range(options.copies), one, course, min(AT_ONCE, options.copies))
    if lost and not ids and not errors:
        raise lost[0]
    return Submitted(tuple(sorted(ids)), tuple(errors), len(lost), lost[0] if lost else None)


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


# Submit by `flux submit`, where no session can be had (no Python bindings for our program).

_LEAD = re.compile(r"(flux-submit: ERROR: )?(cc=\d+: )?(\[Errno \d+\] )?")


async def submit_by_command(
    executor: Executor, endpoint: Endpoint, options: SubmitOptions, course: Course | None = None
) -> Submitted:
    """Submit `options.copies` jobs, with the environment of the lead's container.

    Raises ValueError, and KubeError when the outcome is unknown. FluxFailed: flux submit ended in
    another way than by accepting or refusing them.
    """
    course = course or Course(options.copies)
    ids: list[int] = []
    errors: list[str] = []
    left = options.copies
    while left and not course.stopping:
        some = replace(options, copies=min(left, BY_COMMAND))
        argv = submit_argv(some)
        if f"--cc=1-{some.copies}" not in argv:
            some = replace(some, copies=1)
            argv = submit_argv(some)
        left -= some.copies
        try:
            taken, refused = await _by_one_command(executor, endpoint, argv, some.copies)
        except FluxstateError as error:
            if not ids:
                raise
            return Submitted(tuple(sorted(ids)), tuple(errors), some.copies, error)
        ids += taken
        errors += refused
        course.done += len(taken)
        course.failed += len(refused)
        if not ids and len(errors) >= AT_ONCE:
            course.stop()
    return Submitted(tuple(sorted(ids)), tuple(errors))


async def _by_one_command(
    executor: Executor, endpoint: Endpoint, argv: list[str], copies: int
) -> tuple[list[int], list[str]]:
    place = (endpoint.namespace, endpoint.pod, endpoint.container)
    result = await executor.exec(*place, endpoint.flux_argv(argv), timeout=60.0 + copies)
    said = result.stderr.decode("utf-8", "replace").strip()
    if result.code not in (0, 1):
        raise FluxFailed("flux submit", said, code=result.code)
    ids = list(map(parse_job_id, result.stdout.decode("utf-8", "replace").split()))
    lines = said.splitlines() if result.code else []
    return ids, [_LEAD.sub("", line, count=1) for line in lines]


def submit_argv(options: SubmitOptions) -> list[str]:
    """The words after `flux`. Raises ValueError.

    With --cc, flux submit replaces what is in braces; so it is used only where there are none.
    """
    options.check()
    wanted = {
        "nodes": options.nnodes,
        "gpus-per-task": options.gpus_per_task,
        "time-limit": f"{options.duration}s" if options.duration else "",
        "job-name": options.name,
        "queue": options.queue,
        "cwd": options.cwd,
    }
    argv = ["submit", f"--ntasks={options.ntasks}", f"--cores-per-task={options.cores_per_task}"]
    argv += [f"--{name}={value}" for name, value in wanted.items() if value]
    argv += [f"--dependency={text}" for text in options.dependencies]
    argv += [f"--urgency={options.urgency}", "--env=-FLUX_F58_FORCE_ASCII"]
    argv += [f"--env={name}={value}" for name, value in options.environment.items()]
    words = [*argv, *options.command]
    if options.copies > 1 and not any("{" in word for word in words):
        argv.append(f"--cc=1-{options.copies}")
    return [*argv, "--", *options.command]
