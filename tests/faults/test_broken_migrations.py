"""A migration under the same name that does not get there brings the old one back."""

from __future__ import annotations

import pytest

from fluxstate_tui.operations.base import Choices, OperationKind, OutcomeKind, StepEvent
from fluxstate_tui.operations.registry import prepare
from tests.faults.stage import ANY, Stage
from tests.faults.test_migrations import found, judge, some_jobs


@pytest.mark.parametrize("step", ["gone", "start", "checkpoint", "disarm", "open"])
async def test_under_the_same_name_a_cancel_brings_the_old_one_back_until_it_is_too_late(
    stage: Stage, step: str
) -> None:
    jobs = await some_jobs(stage)
    operation = await prepare(
        OperationKind.MIGRATE, stage.context, await stage.ref(), Choices(size=3)
    )

    def stop(event: StepEvent) -> None:
        if event.step == step:
            operation.cancel()

    outcome = await operation.run(stop)
    late = step in ("checkpoint", "disarm", "open")
    assert outcome.kind is (OutcomeKind.COMPLETED if late else OutcomeKind.CANCELLED), outcome
    assert not await judge(stage, jobs, outcome, step)
    living = await found(stage, ANY)
    assert living is not None
    assert living.size == (3 if late else 2)


async def test_an_image_that_cannot_be_pulled_costs_no_job(stage: Stage) -> None:
    jobs = await some_jobs(stage)
    broken = Choices(image="nosuch.invalid/flux:1", start_timeout=60)
    outcome = await stage.do("migrate", broken)
    assert outcome.kind is OutcomeKind.FAILED, outcome
    await judge(stage, jobs, outcome, "image")
