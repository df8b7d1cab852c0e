"""A delete leaves a copy of the archive on this computer: the volume may go as well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fluxstate_tui.catalog.local_copies import FOLDER as COPIES
from fluxstate_tui.catalog.local_copies import newest_copy
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.operations.base import Choices, OperationKind, StepState
from fluxstate_tui.operations.registry import prepare
from tests.faults.stage import ANY, FOLDER, Stage, agreed


def copies(stage: Stage) -> list[Path]:
    return sorted((stage.context.state_dir / COPIES).glob("*/*"))


def said(stage: Stage, step: str) -> str:
    """What was told when a step was done."""
    return [
        event.read_back
        for event in stage.seen
        if event.step == step and event.state is StepState.DONE
    ][-1]


async def test_the_copy_brings_every_job_back_when_the_archive_went_bad(stage: Stage) -> None:
    job = await stage.submit("true")
    await stage.well("delete", Choices(save_first=True))
    (name,) = [name for name in stage.finished() if name.endswith(".tar.gz")]
    stage.volume.write(f"{FOLDER}/{name}", b"not what it was")
    with pytest.raises(FluxstateError) as refused:
        await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())
    copy = newest_copy(stage.context.state_dir, ANY)
    assert copy is not None
    assert f"restore {ANY.name} -n {ANY.namespace} --from {copy}" in refused.value.advice
    await stage.well("restore", Choices(from_file=copy))
    assert job in await stage.jobs()


async def test_the_copy_brings_every_job_back_when_the_volume_is_empty(stage: Stage) -> None:
    job = await stage.submit("true")
    await stage.well("save")
    await stage.well("delete")
    stage.forget_archives()
    with pytest.raises(FluxstateError) as refused:
        await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())
    assert refused.value.exit_code is ExitCode.NOT_FOUND
    assert "A copy is on this computer" in refused.value.advice
    copy = newest_copy(stage.context.state_dir, ANY)
    assert str(copy) in said(stage, "compare")
    await stage.well("restore", Choices(from_file=copy))
    assert job in await stage.jobs()


async def test_a_copy_that_cannot_be_made_is_told_and_stops_nothing(stage: Stage) -> None:
    await stage.submit("true")
    stage.context.state_dir.mkdir(parents=True, exist_ok=True)
    (stage.context.state_dir / COPIES).write_text("in the way")
    await stage.well("delete", Choices(save_first=True))
    assert "no copy is on this computer" in said(stage, "compare")


async def test_no_copy_is_made_when_there_is_no_room_for_any(stage: Stage) -> None:
    stage.context = replace(stage.context, room_for_copies=0)
    await stage.submit("true")
    await stage.well("delete", Choices(save_first=True))
    assert copies(stage) == []


async def test_the_oldest_copies_make_room_for_a_new_one(stage: Stage) -> None:
    await stage.submit("true")
    await stage.well("delete", Choices(save_first=True))
    (first, _) = copies(stage)
    room = first.stat().st_size * 3 // 2
    stage.context = replace(stage.context, room_for_copies=room)
    await stage.well("restore")
    await stage.well("delete", Choices(save_first=True))
    assert not first.exists()
    assert [path.suffix for path in copies(stage)] == [".json", ".gz"]
    assert newest_copy(stage.context.state_dir, ANY) == copies(stage)[1]
