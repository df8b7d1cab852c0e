"""Where Flux has no Python bindings the same promises hold, by its commands alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fluxstate_tui.broker.broker import CommandBroker
from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.operations.base import Choices
from tests.faults.stage import ANY, NAME, NAMESPACE, Stage, staged


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        stage.sim.state.kubelet.python_bindings = False
        await stage.create()
        yield stage


async def test_every_job_survives_a_delete_and_a_restore(bare: Stage) -> None:
    world = await MiniClusterClient.open(bare.context, ANY)
    assert isinstance(await world.connect(), CommandBroker)
    await world.close()
    done = await bare.submit("true")
    await bare.flux("queue", "idle")
    held = await bare.submit("--urgency=0", "true")
    await bare.well("delete", Choices(save_first=True))
    await bare.well("restore")
    assert (await bare.jobs()).keys() == {done, held}
    assert await bare.started()
    assert not bare.armed()


async def test_what_makes_a_restore_come_up_paused_does_not_stay_in_the_living_queue(
    bare: Stage,
) -> None:
    job = await bare.submit("--urgency=0", "true")
    await bare.well("save", Choices(restore_paused=True))
    await bare.sim.faults.do("kill-lead", namespace=NAMESPACE, minicluster=NAME)
    await bare.restarted()
    assert await bare.started()
    assert (await bare.jobs()).keys() == {job}
