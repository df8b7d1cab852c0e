"""The guard of one watched MiniCluster: fresh checkpoints, and saves by itself if asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from fluxstate_tui.config import GuardSettings
from fluxstate_tui.operations.guard.auto_save import AutoSave
from fluxstate_tui.operations.guard.guard import EVERY_SECONDS, Guard
from fluxstate_tui.store.events import GuardSeen, StoreEvent

if TYPE_CHECKING:
    from fluxstate_tui.flux.checkpoints import Checkpoints
    from fluxstate_tui.model.reference import ClusterRef
    from fluxstate_tui.operations.context import OperationContext


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
        """Never ends by itself."""
        running = [self._guard.run()]
        if self._saves is not None:
            running.append(self._saves.run())
        await asyncio.gather(*running)

    def _tell(self) -> None:
        state = self._guard.state
        saved = self._saves.state if self._saves is not None else None
        details = (self._off, state.trouble, saved.trouble if saved is not None else "")
        self._emit(
            GuardSeen(
                self._ref,
                checkpoint_at=state.last,
                saved_at=saved.last if saved is not None else None,
                detail="; ".join(filter(None, details)),
                at=self._clock.now(),
            )
        )


def _why_off(read_only: bool, settings: GuardSettings) -> str:
    if read_only:
        return "off: read-only"
    return "off: as configured" if settings.checkpoint is None else ""
