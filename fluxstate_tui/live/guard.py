"""The guard: keeps the KVS checkpoint of a watched MiniCluster fresh.

When the lead's container dies, its queue goes on from the last checkpoint, and flux-core makes one
only at a restore or a clean shutdown: newer jobs would be gone, older ones would run again. After
a checkpoint a moment ago nothing is lost (ARCHITECTURE.md#F31).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fluxstate_tui.broker.commands import FluxFailed
from fluxstate_tui.config import GuardSettings
from fluxstate_tui.errors import FluxstateError, said
from fluxstate_tui.live.events import GuardSeen, StoreEvent
from fluxstate_tui.operations.base import Choices, OperationKind, OutcomeKind, Running
from fluxstate_tui.operations.registry import prepare
from fluxstate_tui.tasks import together

if TYPE_CHECKING:
    from fluxstate_tui.broker.broker import Checkpoints
    from fluxstate_tui.broker.context import OperationContext
    from fluxstate_tui.clock import Clock
    from fluxstate_tui.minicluster.minicluster import ClusterRef


_log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
# While there is no session, one is looked for this often.
WAIT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class GuardState:
    """When the newest checkpoint was made (seconds since the epoch by the cluster's clock).

    `fresh` says that it held all there was when it was looked at; `trouble` what is in the way.
    `period` is how often Flux makes one by itself (`60s`), '' for never or unknown.
    """

    last: float | None = None
    fresh: bool = False
    trouble: str = ""
    period: str = ""


class Guard:
    """Makes a checkpoint every now and then by a connection that others keep.

    `checkpoints` is the way to them, or None while there is none. `told` gets every change.
    With `makes` False it only looks how old the checkpoint is.
    """

    def __init__(
        self,
        clock: Clock,
        checkpoints: Callable[[], Checkpoints | None],
        told: Callable[[GuardState], None],
        *,
        every: float = EVERY_SECONDS,
        makes: bool = True,
    ) -> None:
        self._clock = clock
        self._checkpoints = checkpoints
        self._told = told
        self._every = every
        self._makes = makes
        self._asked: Checkpoints | None = None
        self._period = ""
        self.state = GuardState()

    async def run(self) -> None:
        """Until cancelled. Trouble is told and tried again, never raised."""
        while True:
            checkpoints = self._checkpoints()
            if checkpoints is None:
                if self.state.last is not None:  # one that never ran has nothing to guard yet
                    self._tell(self._troubled("the broker cannot be asked"))
                await self._clock.sleep(min(WAIT_SECONDS, self._every))
                continue
            try:
                self._tell(await self._look(checkpoints))
            except Exception as error:  # a guard that dies unseen is worse than a bug
                if not isinstance(error, FluxstateError):
                    _log.exception("the guard")
                self._tell(self._troubled(said(error)))
            await self._clock.sleep(self._every)

    async def _look(self, checkpoints: Checkpoints) -> GuardState:
        """A checkpoint only when something changed since the last one, whoever made that."""
        seen = await checkpoints.read()
        if not seen.fresh and self._makes:
            seen = await checkpoints.make()
        return GuardState(seen.made, seen.fresh, period=await self._flux_period(checkpoints))

    async def _flux_period(self, checkpoints: Checkpoints) -> str:
        """Let Flux go on when this program has ended; asked once in each conversation, for a
        restarted broker has forgotten it."""
        if self._asked is not checkpoints:
            try:
                self._period = await checkpoints.period(self._every if self._makes else None)
            except FluxFailed as error:  # an old or foreign Flux: then it is only we who guard
                _log.info("no checkpoints by Flux itself: %s", error)
                self._period = ""
            self._asked = checkpoints
        return self._period

    def _troubled(self, why: str) -> GuardState:
        return replace(self.state, fresh=False, trouble=why)

    def _tell(self, state: GuardState) -> None:
        if state != self.state:
            self.state = state
            self._told(state)


# Saving by itself every so often: for what a checkpoint cannot survive, the loss of the pod.


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
        operation = await prepare(
            OperationKind.SAVE, self._context, self._ref, Choices(running=Running.LEAVE)
        )
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


# The guard of one watched MiniCluster: fresh checkpoints, and saves by itself if asked for.


class Guarding:
    """Runs both until it is cancelled, and tells the store what it can rely on.

    Under --read-only, or with checkpoints off, it only looks how old the newest checkpoint is.
    """

    def __init__(
        self,
        context: OperationContext,
        ref: ClusterRef,
        checkpoints: Callable[[], Checkpoints | None],
        emit: Callable[[StoreEvent], None],
        settings: GuardSettings,
    ) -> None:
        self._ref = ref
        self._emit = emit
        self._clock = context.clock
        self._off = _why_off(context.cluster.read_only, settings)
        self._guard = Guard(
            context.clock,
            checkpoints,
            lambda state: self._tell(),
            every=settings.checkpoint or EVERY_SECONDS,
            makes=not self._off,
        )
        self._saves: AutoSave | None = None
        if settings.save is not None and not context.cluster.read_only:
            self._saves = AutoSave(
                context, ref, checkpoints, lambda state: self._tell(), every=settings.save
            )

    async def run(self) -> None:
        """Never ends by itself. When it is cancelled, it waits until a save is undone."""
        running = [self._guard.run()]
        if self._saves is not None:
            running.append(self._saves.run())
        await together(*running)

    def rest(self) -> None:
        """Nobody watches this MiniCluster any more: it is not guarded from here."""
        self._tell("off: not watched")

    def _tell(self, resting: str = "") -> None:
        state = self._guard.state
        saved = self._saves.state if self._saves is not None else None
        details = (self._off or resting, state.trouble, saved.trouble if saved is not None else "")
        self._emit(
            GuardSeen(
                self._ref,
                checkpoint_at=state.last,
                saved_at=saved.last if saved is not None else None,
                detail="; ".join(filter(None, details)),
                at=self._clock.now(),
                period=state.period,
            )
        )


def _why_off(read_only: bool, settings: GuardSettings) -> str:
    if read_only:
        return "off: read-only"
    return "off: as configured" if settings.checkpoint is None else ""
