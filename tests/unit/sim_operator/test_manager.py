"""A controller that fails does not take the simulated cluster with it, and is not kept secret."""

from __future__ import annotations

import asyncio
import random

import pytest

from fluxstate_tui.clock import SystemClock
from fluxstate_tui.sim.api.store import ObjectStore
from fluxstate_tui.sim.operator.manager import Manager


async def test_a_failure_is_logged_at_once_the_others_go_on_and_the_end_tells_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = SystemClock()
    manager = Manager(ObjectStore(clock.now, random.Random(0)), clock)
    done = asyncio.Event()

    async def broken(_namespace: str, _name: str) -> None:
        raise KeyError("spec")

    async def sound(_namespace: str, _name: str) -> None:
        done.set()

    manager.start()
    for number in range(100):
        manager.enqueue(broken, "default", str(number))
    manager.enqueue(sound, "default", "a")
    async with asyncio.timeout(10):
        await done.wait()
    assert "a part of the simulated cluster failed" in caplog.text
    assert len(manager.failures) < 100
    with pytest.raises(KeyError, match="spec"):
        await manager.stop()
