"""The guard: keeps the KVS checkpoint of a watched MiniCluster fresh.

When the lead's container dies, its queue goes on from the last checkpoint, and flux-core makes one
only at a restore or a clean shutdown: newer jobs would be gone, older ones would run again. After
a checkpoint a moment ago nothing is lost (facts/kubernetes-live.md has the table).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxstate_tui.errors import FluxstateError

if TYPE_CHECKING:
    from fluxstate_tui.clock import Clock
    from fluxstate_tui.flux.session import FluxSession

EVERY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class GuardState:
    """When a checkpoint was last read back (seconds since the epoch), and what is in the way."""

    last: float | None = None
    trouble: str = ""


class Guard:
    """Makes a checkpoint every now and then over a session that others keep open.

    `session` gives the living session, or None while there is none. `told` gets every change.
    """

    def __init__(
        self,
        clock: Clock,
        session: Callable[[], FluxSession | None],
        told: Callable[[GuardState], None],
        *,
        every: float = EVERY_SECONDS,
    ) -> None:
        self._clock = clock
        self._session = session
        self._told = told
        self._every = every
        self.state = GuardState()

    async def run(self) -> None:
        """Until cancelled. Trouble is told and tried again, never raised."""
        while True:
            await self._once()
            await self._clock.sleep(self._every)

    async def _once(self) -> None:
        session = self._session()
        if session is None:
            self._tell(GuardState(self.state.last, "the broker cannot be asked"))
            return
        try:
            answer = await session.request("kvs.sync")
        except FluxstateError as error:
            self._tell(GuardState(self.state.last, error.message))
            return
        if answer.get("synced"):
            self._tell(GuardState(self._clock.now()))
        else:
            self._tell(GuardState(self.state.last, "the checkpoint does not read back"))

    def _tell(self, state: GuardState) -> None:
        self.state = state
        self._told(state)
