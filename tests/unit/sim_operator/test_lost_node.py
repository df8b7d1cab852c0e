"""A node that is gone takes its pods along; another one brings them back, without their memory."""

from __future__ import annotations

from pathlib import Path

from tests.faults.stage import NAME, NAMESPACE, staged


async def test_the_pods_come_back_on_another_node_with_an_empty_queue(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await stage.create()
        await stage.submit("true")
        before = stage.sim.state.lead_pod(NAMESPACE, NAME)
        await stage.sim.faults.do("lose-node", seconds=20)
        await stage.restarted()
        assert stage.sim.state.lead_pod(NAMESPACE, NAME) != before
        assert await stage.jobs() == {}
