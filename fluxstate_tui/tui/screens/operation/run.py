"""One operation from consent to outcome. It goes on when its screen is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.live.actions import Operation
from fluxstate_tui.operations.base import Outcome, OutcomeKind, Plan, StepEvent, StepState

if TYPE_CHECKING:
    from fluxstate_tui.live.store import Store


_BROKEN = (StepState.FAILED, StepState.UNKNOWN)


class OperationRun:
    """Runs an operation as a task and keeps what its steps said.

    `changed` is called at every news, `ended` at the end. `started` says that it was consented to,
    `put_back` what was undone, `shown` that somebody had its outcome on the screen.
    """

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.steps: dict[str, StepEvent] = {}
        self.roll_back: list[str] = []
        self.outcome: Outcome | None = None
        self.changed: Callable[[], None] = lambda: None
        self.ended: Callable[[], None] = lambda: None
        self.started = False
        self.shown = False
        self._task: asyncio.Task[Outcome] | None = None

    @property
    def plan(self) -> Plan:
        """The plan that was consented to."""
        return self.operation.plan

    @property
    def there(self) -> Store | None:
        """What shows where a migration goes to, None when it is the dashboard's own store."""
        return self.operation.there

    @property
    def end(self) -> tuple[Outcome | None, list[str], bool]:
        """The outcome, what was put back, and whether that still goes on."""
        broken = any(event.state in _BROKEN for event in self.steps.values())
        return self.outcome, self.roll_back, broken and self.running

    @property
    def title(self) -> str:
        """`save flux-sample`."""
        return f"{self.plan.operation} {self.plan.target.name}"

    @property
    def progress_text(self) -> str:
        """`step 3 of 6, Wait for running jobs`."""
        steps = self.plan.steps
        for number, step in enumerate(steps, 1):
            event = self.steps.get(step.id)
            if event is not None and event.state is StepState.RUNNING:
                return f"step {number} of {len(steps)}, {step.title}"
        done = sum(event.state is StepState.DONE for event in self.steps.values())
        return f"{done} of {len(steps)} steps done"

    @property
    def running(self) -> bool:
        """It was started and has not ended."""
        return self.started and self.outcome is None

    @property
    def unseen(self) -> bool:
        """It ended badly while nobody looked; a notice alone goes away."""
        return self.outcome is not None and self.outcome.exit_code != 0 and not self.shown

    def start(self, typed: str = "") -> None:
        """Go."""
        self.started = True
        self._task = asyncio.create_task(self.perform(typed), name=self.title)

    def cancel(self) -> None:
        """Ask it to stop; it puts back what it did and says so in its outcome."""
        if self.running:
            self.operation.cancel()

    def hurry(self) -> None:
        """Ask it to end within seconds, put back or not."""
        if self.running:
            self.operation.hurry()

    async def finished(self) -> None:
        """Return when it has ended."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def perform(self, typed: str) -> Outcome:
        """Carry it out. What the operation raises becomes an outcome that is never a success."""
        self.started = True
        try:
            self.outcome = await self.operation.run(self.take, typed)
        except FluxstateError as error:
            self.outcome = Outcome(
                OutcomeKind.FAILED, error.message, error.safe, error.advice, int(error.exit_code)
            )
        except asyncio.CancelledError:
            self.outcome = Outcome(
                OutcomeKind.CANCELLED,
                "It was cancelled.",
                advice="Look at the MiniCluster before you start it again.",
            )
        except Exception as error:  # a bug of ours must not look like a success or end the app
            self.outcome = Outcome(
                OutcomeKind.UNKNOWN,
                f"A bug in fluxstate-tui ended it: {type(error).__name__}: {error}",
                advice="Look at the MiniCluster before you start it again, and report this.",
            )
        self.changed()
        self.ended()
        return self.outcome

    def take(self, event: StepEvent) -> None:
        """Keep what a step says."""
        known = self.steps.get(event.step)
        if known is not None and known.state in _BROKEN and event.state is StepState.FAILED:
            self.roll_back.append(event.read_back.removeprefix("put back: "))  # its step has ended
        else:
            self.steps[event.step] = event
        self.changed()
