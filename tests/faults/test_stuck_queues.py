"""maxSize: ranks that are down keep a whole queue waiting, and that is said."""

from __future__ import annotations

import json

import pytest

from fluxstate_tui.broker.objects import read_minicluster
from fluxstate_tui.cli.get_run import _survey_json
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.minicluster.minicluster import Phase
from fluxstate_tui.operations.base import Choices, OperationKind
from fluxstate_tui.operations.registry import prepare
from fluxstate_tui.operations.snapshot import read_status
from tests.faults.stage import ANY, Stage, agreed


@pytest.fixture
async def small(stage_without: Stage) -> Stage:
    """Size 2 of 4, with a job for four nodes, one for six and three small ones."""
    await stage_without.create(2, maxSize=4)
    return stage_without


async def fill(stage: Stage) -> list[int]:
    wide = await stage.submit("-N4", "sleep", "1")
    wider = await stage.submit("-N6", "sleep", "1")
    return [wide, wider, *[await stage.submit("sleep", "1") for _ in range(3)]]


async def test_a_live_queue_that_is_stuck_is_an_alarm_in_get_and_in_the_phase(small: Stage) -> None:
    jobs = await fill(small)
    status = await read_status(small.context, await read_minicluster(small.context, ANY))
    while status.counts is None or status.counts["pending"] < 5:
        await small.sim.clock.sleep(0.5)
        status = await read_status(small.context, await read_minicluster(small.context, ANY))
    assert status.derived.phase is Phase.DEGRADED
    assert status.why.startswith(f"Stuck: {f58(jobs[0])} sleep needs 4 nodes, 2 are up; 4 wait")
    told = json.loads(json.dumps(_survey_json(status)))
    assert (told["stuck"]["nodes"], told["stuck"]["up"], told["stuck"]["behind"]) == (4, 2, 4)


async def test_the_plan_of_a_restore_says_first_that_one_job_will_block_the_others(
    small: Stage,
) -> None:
    await fill(small)
    await small.well("delete", Choices(save_first=True))
    operation = await prepare(OperationKind.RESTORE, small.context, ANY, agreed(Choices()))
    await operation.close()
    plan = operation.plan
    assert "1 waits for 4 nodes and blocks 4 behind it" in plan.preview[0]
    assert "1 waits for 4 nodes and blocks 4 behind it" in plan.consent.question
    assert not any("start at once" in line for line in plan.preview)
