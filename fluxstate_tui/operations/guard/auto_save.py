"""Saving by itself every so often: for what a checkpoint cannot survive, the loss of the pod."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fluxstate_tui.errors import FluxstateError, said
from fluxstate_tui.operations.choices import Choices, Running
from fluxstate_tui.operations.plan import OutcomeKind
from fluxstate_tui.operations.prepare import prepare

if TYPE_CHECKING:
    from fluxstate_tui.flux.checkpoints import Checkpoints
    from fluxstate_tui.model.reference import ClusterRef
    from fluxstate_tui.operations.context import OperationContext

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AutoSaveState:
    """When it saved last (seconds since the epoch by our clock), and what is in the way."""

    last: float | None = None
    trouble: str = ""


class AutoSave:
    """Saves one MiniCluster every `every` seconds, if something changed since it saved last.

    Running jobs go on and are archived as running (they would come back FAILED): waiting for them
    would keep the queue stopped for as long as they take, without anybody having asked for it.
    """

    def __init__(
        self,
        context: OperationContext,
        ref: ClusterRef,
        checkpoints: Callable[[], Checkpoints | None],
        told: Callable[[AutoSaveState], None],
        *,
        every: float,
    ) -> None:
        self._context = context
        self._ref = ref
        self._checkpoints = checkpoints
        self._told = told
        self._every = every
        self._root = ""
        self.state = AutoSaveState()

    async def run(self) -> None:
        """Until cancelled; a save that is cancelled puts back what it did. Never raises."""
        while True:
            await self._context.clock.sleep(self._every)
            try:
                await self._once()
            except Exception as error:
                if not isinstance(error, FluxstateError):
                    _log.exception("saving %s by itself", self._ref)
                self._tell(replace(self.state, trouble=f"not saved: {said(error)}"))

    async def _once(self) -> None:
        root = await self._current_root()
        if root and root == self._root:
            return
        operation = await prepare("save", self._context, self._ref, Choices(running=Running.LEAVE))
        outcome = await operation.run(lambda event: None)
        if outcome.kind is not OutcomeKind.COMPLETED:
            self._tell(replace(self.state, trouble=f"not saved: {outcome.reason}"))
            return
        self._tell(AutoSaveState(self._context.clock.now()))
        self._root = root  # as it was before: what changed during the save may not be in it

    async def _current_root(self) -> str:
        checkpoints = self._checkpoints()
        return (await checkpoints.read()).root if checkpoints is not None else ""

    def _tell(self, state: AutoSaveState) -> None:
        if state != self.state:
            self.state = state
            self._told(state)
