"""The living conversation looks inside of Flux, and tells the store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fluxstate_tui.broker.objects import read_minicluster
from fluxstate_tui.live import queue_feed
from fluxstate_tui.live.events import BrokerInsideSeen, StoreEvent
from fluxstate_tui.live.queue_feed import QueueFeed
from fluxstate_tui.tasks import ended
from tests.faults.stage import ANY, staged


async def test_a_connected_minicluster_tells_of_its_settings_and_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_feed, "INSIDE_AFTER", 0.1)
    seen: asyncio.Queue[BrokerInsideSeen] = asyncio.Queue()

    def take(event: StoreEvent) -> None:
        if isinstance(event, BrokerInsideSeen):
            seen.put_nowait(event)

    async with staged(tmp_path) as stage:
        await stage.create()
        feed = QueueFeed(stage.context, take, await read_minicluster(stage.context, ANY))
        running = asyncio.create_task(feed.run())
        try:
            async with asyncio.timeout(30):
                view = (await seen.get()).view
        finally:
            await ended(running)
    assert view.checkpoint_period == 0
    assert view.private is False
    assert view.torpid == ()
    assert view.lost_and_found == 0
    assert view.state_used
    assert view.next_id is None
