"""Pause, save, delete, restore: every job is accounted for, step by step."""

from __future__ import annotations

import pytest

from fluxstate_tui.flux.job import JobState
from fluxstate_tui.operations.base import Choices, OperationKind
from fluxstate_tui.operations.registry import prepare
from tests.faults.at_step import when_done
from tests.faults.stage import ANY, NAME, NAMESPACE, Stage


@pytest.mark.parametrize("size", [2, 3, 1])
async def test_every_job_survives_a_delete_and_a_restore(stage: Stage, size: int) -> None:
    done = await stage.submit("true")
    slow = await stage.submit("sleep", "5")
    await stage.well("pause")
    waiting = [await stage.submit("sleep", "2"), await stage.submit("--urgency=0", "true")]

    saved = await stage.well("save")
    assert "verified L2" in saved.reason
    assert not await stage.started()  # it was paused before, so it stays paused

    await stage.well("delete")
    assert not stage.armed()

    restored = await stage.well("restore", Choices(size=size))
    assert "0 lost" in restored.reason
    jobs = await stage.jobs()
    assert {done, slow, *waiting} <= jobs.keys()
    assert jobs[done].status == jobs[slow].status == "COMPLETED"
    assert jobs[waiting[1]].state is JobState.SCHED  # held, as it was
    assert not stage.armed()
    assert stage.unfinished() == []


async def test_a_save_puts_the_queue_back_and_a_kept_pause_stays(stage: Stage) -> None:
    await stage.submit("true")
    await stage.well("save")
    assert await stage.started()
    await stage.well("save", Choices(keep_paused=True))
    assert not await stage.started()
    await stage.well("resume")
    assert await stage.started()
    assert len(stage.archived()) == 2


async def test_a_queue_saved_to_be_restored_paused_can_be_looked_at_before_it_runs(
    stage: Stage,
) -> None:
    await stage.well("pause")
    job = await stage.submit("true")
    await stage.well("save", Choices(restore_paused=True))
    await stage.well("delete")
    await stage.well("restore")
    assert not await stage.started()
    assert (await stage.jobs())[job].state is JobState.SCHED
    await stage.well("resume")
    assert await stage.started()


async def test_delete_can_save_first(stage: Stage) -> None:
    job = await stage.submit("sleep", "3")
    await stage.well("delete", Choices(save_first=True))
    assert stage.archived() == [{job}]
    await stage.well("restore")
    assert (await stage.jobs())[job].status == "COMPLETED"


async def test_an_older_version_can_be_restored(stage: Stage) -> None:
    first = await stage.submit("true")
    await stage.well("save")
    older = min(name for name in stage.finished() if name.endswith(".json"))
    second = await stage.submit("true")
    await stage.well("delete", Choices(save_first=True))
    await stage.well("restore", Choices(archive=older.removesuffix(".json")))
    jobs = await stage.jobs()
    assert first in jobs
    assert second not in jobs
    assert [second in ids for ids in stage.archived()].count(True) == 1


async def test_an_archive_made_by_hand_is_adopted_and_restored(stage: Stage) -> None:
    job = await stage.submit("true")
    await stage.flux("queue", "stop", "--all")
    await stage.flux("queue", "idle")
    await stage.flux("dump", "/state/archive.tar.gz")
    outcome = await stage.do("delete", typed=ANY.name)
    assert outcome.exit_code == 0, outcome
    await stage.well("restore", Choices(archive="/state/archive.tar.gz"))
    assert job in await stage.jobs()
    assert not stage.armed()
    assert len(stage.finished()) == 1  # kept in the catalog


async def test_what_is_armed_on_a_living_minicluster_can_be_disarmed(stage: Stage) -> None:
    await stage.submit("true")
    await stage.flux("dump", "/state/archive.tar.gz")
    await stage.well("disarm")
    assert not stage.armed()
    assert len(stage.finished()) == 1


async def test_there_is_no_moment_at_which_it_is_disarmed_without_a_checkpoint(
    stage: Stage,
) -> None:
    job = await stage.submit("true")
    await stage.flux("queue", "idle")
    await stage.flux("dump", "/state/archive.tar.gz")
    operation = await prepare(OperationKind.DISARM, stage.context, await stage.ref())

    async def stop(step: str) -> None:
        if not stage.armed():
            operation.cancel()

    await when_done(operation, stop)
    assert not stage.armed()
    ran = (await stage.jobs())[job].t_run
    await stage.sim.faults.do("kill-lead", namespace=NAMESPACE, minicluster=NAME)
    await stage.restarted()
    assert (await stage.jobs())[job].t_run == ran
