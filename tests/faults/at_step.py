"""Something happens between two steps of an operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fluxstate_tui.operations.base import Outcome, StepEvent
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.steps import Run, Task


async def when_done(
    operation: Operation,
    then: Callable[[str], Awaitable[None]],
    told: list[StepEvent] | None = None,
    typed: str = "",
) -> Outcome:
    """Run it; `then` is awaited at the end of each step, with the step's id."""
    operation.script.tasks[:] = [_followed(task, then) for task in operation.script.tasks]
    return await operation.run((told if told is not None else []).append, typed)


def _followed(task: Task, then: Callable[[str], Awaitable[None]]) -> Task:
    async def action(run: Run) -> str:
        text = await task.action(run)
        await then(task.step.id)
        return text

    return Task(task.step, action, task.required)
