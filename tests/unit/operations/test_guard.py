"""A guard that has trouble says so and goes on, whatever the trouble is."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from fluxstate_tui.broker.rpc import KvsState
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.live.guard import Guard, GuardState
from fluxstate_tui.sim.clock import VirtualClock


class Broker:
    """Answers the first time with trouble."""

    def __init__(self, trouble: Exception) -> None:
        self.trouble: Exception | None = trouble

    async def read(self) -> KvsState:
        trouble, self.trouble = self.trouble, None
        if trouble is not None:
            raise trouble
        return KvsState("root", 1.0, fresh=True)

    async def make(self) -> KvsState:
        return await self.read()

    async def period(self, wanted: float | None) -> str:
        return f"{wanted:g}s"


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (FluxstateError("no answer"), "no answer"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (KeyError("rootref"), "a bug in fluxstate-tui: KeyError: 'rootref'"),
    ],
)
async def test_trouble_is_told_and_tried_again(trouble: Exception, words: str) -> None:
    clock, broker = VirtualClock(), Broker(trouble)
    told: list[GuardState] = []
    task = asyncio.create_task(Guard(clock, lambda: broker, told.append, every=5.0).run())
    await clock.advance(1.0)
    assert [(state.fresh, words in state.trouble) for state in told] == [(False, True)]
    await clock.advance(5.0)
    assert told[-1] == GuardState(1.0, fresh=True, period="5s")
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
