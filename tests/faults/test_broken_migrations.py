"""A migration with something breaking at any point: no job is lost, no queue stays stopped."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from fluxstate_tui.kube.resources import LEASES
from fluxstate_tui.operations import journal, recover
from fluxstate_tui.operations.choices import Choices
from fluxstate_tui.operations.plan import OutcomeKind, StepEvent
from fluxstate_tui.operations.prepare import prepare
from tests.faults.stage import ANY, NAME, NAMESPACE, Stage, broken_at
from tests.faults.test_kills import killed_at, program
from tests.faults.test_migrations import (
    BESIDE,
    NEW,
    found,
    jobs_of,
    judge,
    queue_of,
    runs,
    some_jobs,
)

# As in test_broken_saves: FLUXSTATE_ALL_FAULTS=1 tries every point.
ALL = bool(os.environ.get("FLUXSTATE_ALL_FAULTS"))
STRIDE = 1 if ALL else 211
KINDS = ("drop", "lost-answer", "exec-cut", "status")


async def go_back(stage: Stage) -> None:
    """The same migration in the other direction, for the next round."""
    ref = (await found(stage, NEW)) or pytest.fail("it is not there")
    back = Choices(to_name=NAME, size=2)
    operation = await prepare("migrate", stage.context, ref.ref, back)
    outcome = await operation.run(lambda event: None)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome


@pytest.mark.parametrize("kind", KINDS)
async def test_a_broken_request_at_any_point_leaves_every_job_on_one_side(
    stage: Stage, kind: str
) -> None:
    jobs = await some_jobs(stage)
    fault: dict[str, object] = {"kind": kind}
    if kind == "status":
        fault["code"] = 500
    for skip in range(53 * KINDS.index(kind) + 7, 2000, STRIDE):
        outcome, reached = await broken_at(stage, "migrate", fault, skip, BESIDE)
        if await judge(stage, jobs, outcome, (kind, skip)):
            await go_back(stage)
        if not reached:
            break


@pytest.mark.parametrize("step", ["dump", "create", "start", "account"] if ALL else ["start"])
async def test_the_old_lead_dies_meanwhile(stage: Stage, step: str) -> None:
    jobs = await some_jobs(stage)
    operation = await prepare("migrate", stage.context, await stage.ref(), BESIDE)
    deaths: list[asyncio.Task[object]] = []

    def kill(event: StepEvent) -> None:
        if event.step == step and not deaths:
            faults = stage.sim.faults
            work = faults.do("kill-lead", namespace=NAMESPACE, minicluster=NAME)
            deaths.append(asyncio.create_task(work))

    outcome = await operation.run(kill)
    await asyncio.gather(*deaths)
    if await found(stage, ANY) is not None:
        await stage.up()
    await judge(stage, jobs, outcome, step)


@pytest.mark.parametrize("step", ["account", "checkpoint", "agree"] if ALL else ["checkpoint"])
async def test_the_new_lead_dies_before_the_old_one_is_deleted(stage: Stage, step: str) -> None:
    jobs = await some_jobs(stage)
    operation = await prepare("migrate", stage.context, await stage.ref(), BESIDE)
    deaths: list[asyncio.Task[object]] = []

    def kill(event: StepEvent) -> None:
        if event.step == step and not deaths:
            faults = stage.sim.faults
            work = faults.do("kill-lead", namespace=NAMESPACE, minicluster=NEW.name)
            deaths.append(asyncio.create_task(work))

    outcome = await operation.run(kill)
    await asyncio.gather(*deaths)
    await judge(stage, jobs, outcome, step)


@pytest.mark.parametrize("step", ["verify", "account"] if ALL else ["account"])
async def test_killed_before_the_delete_the_old_queue_is_found_stopped_and_resumed(
    stage: Stage, tmp_path: Path, step: str
) -> None:
    jobs = await some_jobs(stage)
    await killed_at(stage, tmp_path, step, "migrate", NAME, "--to-name", NEW.name, "--yes")
    (record,) = journal.unfinished(stage.context.state_dir)
    finding = await recover.look(stage.context, record)
    assert (finding.next, finding.record.target.name) == ("resume", NAME)
    assert ("bigger may be there" in " ".join(finding.says)) == (step == "account")
    # The dead one's lock would expire after 30 s of real time.
    await stage.context.cluster.delete(LEASES, f"fluxstate-{NAME}", NAMESPACE)
    await program(stage, tmp_path, "resume", NAME)
    assert runs(await queue_of(stage, ANY))
    assert jobs <= (await jobs_of(stage, ANY)).keys()


async def test_killed_after_the_delete_the_new_queue_is_found_stopped_and_resumed(
    stage: Stage, tmp_path: Path
) -> None:
    jobs = await some_jobs(stage)
    stage.sim.faults.add("hang", method="DELETE", path="miniclusters", seconds=600, count=-1)
    await killed_at(stage, tmp_path, "delete", "migrate", NAME, "--to-name", NEW.name, "--yes")
    stage.sim.faults.clear()
    ref = await stage.ref()  # what the killed one had just asked for
    resource = await stage.context.cluster.minicluster_resource()
    await stage.context.cluster.delete(resource, NAME, NAMESPACE, uid=ref.uid)
    (record,) = journal.unfinished(stage.context.state_dir)
    finding = await recover.look(stage.context, record)
    assert (finding.next, finding.record.target.name) == ("resume", NEW.name)
    await stage.context.cluster.delete(LEASES, f"fluxstate-{NEW.name}", NAMESPACE)
    await program(stage, tmp_path, "resume", NEW.name)
    assert runs(await queue_of(stage, NEW))
    assert jobs <= (await jobs_of(stage, NEW)).keys()


AT = ["reach", "gone", "create", "start", "account", "open"]


@pytest.mark.parametrize("step", AT if ALL else AT[1:4:2])
async def test_under_the_same_name_a_cancel_brings_the_old_one_back(
    stage: Stage, step: str
) -> None:
    jobs = await some_jobs(stage)
    operation = await prepare("migrate", stage.context, await stage.ref(), Choices(size=3))

    def stop(event: StepEvent) -> None:
        if event.step == step:
            operation.cancel()

    outcome = await operation.run(stop)
    assert outcome.kind is OutcomeKind.CANCELLED, outcome
    assert not await judge(stage, jobs, outcome, step)
    living = await found(stage, ANY)
    assert living is not None
    assert living.size == (3 if step == "open" else 2)


async def test_an_image_that_cannot_be_pulled_costs_no_job(stage: Stage) -> None:
    jobs = await some_jobs(stage)
    broken = Choices(image="nosuch.invalid/flux:1", start_timeout=60)
    outcome = await stage.do("migrate", broken)
    assert outcome.kind is OutcomeKind.FAILED, outcome
    await judge(stage, jobs, outcome, "image")
