"""Submit by `flux submit`, where no session can be had (no Python bindings for our program)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fluxstate_tui.flux.command import Executor, FluxFailed
from fluxstate_tui.flux.submit import SubmitOptions, Submitted
from fluxstate_tui.model.jobid import parse_job_id

if TYPE_CHECKING:
    from fluxstate_tui.flux.endpoint import Endpoint

_LEAD = re.compile(r"(flux-submit: ERROR: )?(cc=\d+: )?(\[Errno \d+\] )?")


async def submit_by_command(
    executor: Executor, endpoint: Endpoint, options: SubmitOptions
) -> Submitted:
    """Submit `options.copies` jobs, with the environment of the lead's container.

    Raises ValueError, and KubeError when the outcome is unknown. FluxFailed: flux submit ended in
    another way than by accepting or refusing them.
    """
    argv = submit_argv(options)
    ids: list[int] = []
    errors: list[str] = []
    for _ in range(1 if f"--cc=1-{options.copies}" in argv else options.copies):
        result = await executor.exec(
            endpoint.namespace,
            endpoint.pod,
            endpoint.container,
            endpoint.flux_argv(argv),
            timeout=60.0 + options.copies,
        )
        ids += map(parse_job_id, result.stdout.decode("utf-8", "replace").split())
        said = result.stderr.decode("utf-8", "replace").strip()
        if result.code not in (0, 1):
            raise FluxFailed("flux submit", said, code=result.code)
        if result.code:
            errors += [_LEAD.sub("", line, count=1) for line in said.splitlines()]
    return Submitted(tuple(sorted(ids)), tuple(errors))


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
