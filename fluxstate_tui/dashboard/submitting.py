"""Submit what a user asked for; Flux's own words when it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.submit import SubmitOptions, tutorial_loop
from fluxstate_tui.model.jobid import f58

if TYPE_CHECKING:
    from fluxstate_tui.feeds.queues import QueueFeed
    from fluxstate_tui.screens.actions import SubmitRequest


async def submit_all(queue: QueueFeed, request: SubmitRequest) -> tuple[int, ...]:
    """The ids of the new jobs. Raises FluxstateError, which says what was submitted until then."""
    ids: list[int] = []
    for options in tutorial_loop() if request.tutorial else (_options(request),):
        try:
            submitted = await queue.submit(options)
        except ValueError as error:
            raise FluxstateError(str(error), safe="Nothing was submitted.") from error
        ids += submitted.ids
        if submitted.errors:
            raise FluxstateError(
                f"Flux refused {len(submitted.errors)} of the jobs: {submitted.errors[0]}",
                safe=f"{len(ids)} were submitted: {' '.join(map(f58, ids)) or 'none'}.",
            )
    return tuple(ids)


def _options(request: SubmitRequest) -> SubmitOptions:
    return SubmitOptions(
        command=request.command,
        ntasks=request.tasks,
        nnodes=request.nodes,
        cores_per_task=request.cores,
        duration=request.limit,
        name=request.name,
        queue=request.queue,
        dependencies=request.dependencies,
        copies=request.copies,
    )
