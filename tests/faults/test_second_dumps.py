"""A dump that was not the queue yet is made again: what its step says is of the last one."""

from __future__ import annotations

import pytest

from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.operations.base import StepState
from tests.faults.stage import Stage


async def test_the_step_says_the_size_of_the_dump_that_was_kept(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        await stage.submit("--urgency=hold", "true")
    dump = MiniClusterClient.dump
    sizes: list[int] = []

    async def cut_at_first(self: MiniClusterClient, path: str) -> None:
        await dump(self, path)
        place = path.removeprefix("/state")
        data = stage.volume.read(place)
        if not sizes:
            stage.volume.write(place, data[:-40])
        sizes.append(len(stage.volume.read(place)))

    monkeypatch.setattr(MiniClusterClient, "dump", cut_at_first)
    await stage.well("save")
    done = [event for event in stage.seen if event.step == "dump"]
    said = [event.read_back for event in done if event.state is StepState.DONE]
    assert len(set(sizes)) == 2
    assert said == [f"{size:,} bytes" for size in sizes]
