"""Named queues come up stopped after a restore; they go on as they were saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from fluxstate_tui.operations.choices import Choices
from tests.faults.stage import staged

BROKER_CONFIG = """\
[queues.batch]
[queues.debug]
"""


@pytest.mark.parametrize("paused", [False, True])
async def test_queues_that_were_started_are_started_again(tmp_path: Path, paused: bool) -> None:
    async with staged(tmp_path) as stage:
        await stage.create(flux={"brokerConfig": BROKER_CONFIG})
        await stage.flux("queue", "start", "batch")
        job = await stage.submit("--queue=batch", "true")
        if paused:
            await stage.well("pause")
        await stage.well("delete", Choices(save_first=True))
        await stage.well("restore")
        status = await stage.flux("queue", "status")
        assert "batch: Scheduling is started" in status
        assert "debug: Scheduling is stopped" in status
        assert job in await stage.jobs()
