"""The guard: keeps the KVS checkpoint of a watched MiniCluster fresh.

When the lead's container dies, its queue goes on from the last checkpoint, and flux-core makes one
only at a restore or a clean shutdown: newer jobs would be gone, older ones would run again. After
a checkpoint a moment ago nothing is lost (facts/kubernetes-live.md has the table).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fluxstate_tui.errors import FluxstateError, said

if TYPE_CHECKING:
    from fluxstate_tui.clock import Clock
    from fluxstate_tui.flux.checkpoints import Checkpoints

_log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
# While there is no session, one is looked for this often.
WAIT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class GuardState:
    """When the newest checkpoint was made (seconds since the epoch by the cluster's clock).

    `fresh` says that it held all there was when it was looked at; `trouble` what is in the way.
    """

    last: float | None = None
    fresh: bool = False
    trouble: str = ""


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
        return GuardState(seen.made, seen.fresh)

    def _troubled(self, why: str) -> GuardState:
        return replace(self.state, fresh=False, trouble=why)

    def _tell(self, state: GuardState) -> None:
        if state != self.state:
            self.state = state
            self._told(state)
