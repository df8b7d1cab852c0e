"""`archive.path` in a folder that nobody has made yet: a new MiniCluster on an old volume."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fluxstate_tui.kube.errors import Forbidden
from fluxstate_tui.operations.base import Choices, OperationKind
from fluxstate_tui.operations.registry import prepare
from tests.faults.stage import ANY, Stage, staged

FOLDER = "/lammps/2026"


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as made:
        await made.create(archive={"path": f"/state{FOLDER}/archive.tar.gz"})
        yield made


async def test_it_is_saved_deleted_and_restored_there(fresh: Stage) -> None:
    job = await fresh.submit("true")
    await fresh.well("delete", Choices(save_first=True))
    assert len(fresh.volume.listdir(f"{FOLDER}/fluxstate")) == 2
    await fresh.well("restore")
    assert job in await fresh.jobs()


async def test_a_delete_that_cannot_be_planned_leaves_no_conversation_open(fresh: Stage) -> None:
    # The first exec is the conversation with the broker; the right is lost while files are read.
    fresh.sim.faults.add("status", method="GET", path="/exec", code=403, skip=1, count=50)
    with pytest.raises(Forbidden):
        await prepare(OperationKind.DELETE, fresh.context, ANY, Choices(save_first=True))
    fresh.sim.faults.clear()
    assert not [task for task in asyncio.all_tasks() if "FluxSession" in repr(task)]
