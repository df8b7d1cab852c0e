"""An operation whose finished steps make the feeds look again at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fluxstate_tui.live.store import Store
from fluxstate_tui.operations.base import Outcome, Plan, StepEvent, StepState
from fluxstate_tui.operations.runner import Operation


class RelayedOperation:
    """Runs `operation`; after each step that is done `look_again` is called, at the end `ended`.

    Without it the archive that a delete has just saved would not show up, and after the delete
    there is no pod left to ask. `over` is called once: when it has ended, or will not be run.
    `there` is the store that shows where a migration
    goes to, None when it is the dashboard's own.
    """

    def __init__(
        self,
        operation: Operation,
        look_again: Callable[[], None],
        ended: Callable[[Outcome], Awaitable[Outcome]],
        over: Callable[[], None],
        there: Store | None = None,
    ) -> None:
        self._operation = operation
        self._over: Callable[[], None] | None = over
        self.there = there
        self._look_again = look_again
        self._ended = ended

    @property
    def plan(self) -> Plan:
        """What it is going to do."""
        return self._operation.plan

    @property
    def outcome(self) -> Outcome | None:
        """How it ended, None before."""
        return self._operation.outcome

    async def run(self, progress: Callable[[StepEvent], None], typed: str = "") -> Outcome:
        """Do it. `typed` is what the user typed, where the consent asks for a word."""

        def relay(event: StepEvent) -> None:
            progress(event)
            if event.state is StepState.DONE:
                self._look_again()

        try:
            return await self._ended(await self._operation.run(relay, typed))
        finally:
            self._is_over()

    def cancel(self) -> None:
        """Ask it to stop and to put back what it did."""
        self._operation.cancel()

    def hurry(self) -> None:
        """Leave what is not put back within seconds."""
        self._operation.hurry()

    async def close(self) -> None:
        """Give back what was prepared, when the user says no."""
        try:
            await self._operation.close()
        finally:
            self._is_over()

    def _is_over(self) -> None:
        over, self._over = self._over, None
        if over is not None:
            over()
