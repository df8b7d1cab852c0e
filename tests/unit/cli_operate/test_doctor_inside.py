"""What `doctor NAME` reads inside of Flux, and what it could not read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from fluxstate_tui.broker.evidence import read_evidence
from fluxstate_tui.broker.objects import read_minicluster
from fluxstate_tui.diagnosis.diagnose import diagnose
from fluxstate_tui.diagnosis.evidence import Evidence
from fluxstate_tui.diagnosis.finding import Source
from fluxstate_tui.sim.flux.instance import FluxInstance
from tests.faults.stage import ANY, NAME, NAMESPACE, Stage, staged


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as stage:
        await stage.create()
        yield stage


async def evidence_of(stage: Stage) -> Evidence:
    return await read_evidence(stage.context, await read_minicluster(stage.context, ANY))


def instance_of(stage: Stage) -> FluxInstance:
    found = stage.sim.state.instance(NAMESPACE, NAME)
    assert found is not None
    return found


def fill(instance: FluxInstance) -> None:
    instance.statedir.free = 1000


def hang(instance: FluxInstance) -> None:
    instance.resources.torpid.add(1)


def put_aside(instance: FluxInstance) -> None:
    instance.kvs.put("job-lost+found.job.f2qx.eventlog", b"?")


def be_private(instance: FluxInstance) -> None:
    instance.load_config({"access": {"private-mode": True}})


@pytest.mark.parametrize(
    ("make", "slug"),
    [
        (fill, "statedir-filling"),
        (hang, "broker-hangs"),
        (put_aside, "lost+found-not-empty"),
        (be_private, "private-mode"),
    ],
)
async def test_what_is_wrong_inside_of_flux_is_found(
    stage: Stage, make: Callable[[FluxInstance], None], slug: str
) -> None:
    before = {finding.slug for finding in diagnose(await evidence_of(stage)).findings}
    make(instance_of(stage))
    after = {finding.slug for finding in diagnose(await evidence_of(stage)).findings}
    assert slug in after - before


async def test_without_a_checkpoint_period_a_crash_costs_jobs(stage: Stage) -> None:
    found = {finding.slug for finding in diagnose(await evidence_of(stage)).findings}
    assert "no-checkpoint-period" in found
    instance_of(stage).load_config({"kvs": {"checkpoint-period": "1m"}})
    evidence = await evidence_of(stage)
    assert evidence.broker is not None
    assert evidence.broker.checkpoint_period == 60
    found = {finding.slug for finding in diagnose(evidence).findings}
    assert "no-checkpoint-period" not in found


async def test_what_was_not_asked_is_blind_and_says_what_it_wants(stage: Stage) -> None:
    blind = {one.slug: one.wanting for one in diagnose(await evidence_of(stage)).blind}
    assert blind["job-ids-may-repeat"] == (Source.JOB_IDS,)
    assert "broker-hangs" not in blind


async def test_settings_that_make_no_sense_are_blind_and_not_taken_for_good(
    stage: Stage,
) -> None:
    instance_of(stage).config["kvs"] = {"checkpoint-period": "soon"}
    blind = {one.slug: one.wanting for one in diagnose(await evidence_of(stage)).blind}
    assert blind["no-checkpoint-period"] == (Source.CHECKPOINTS,)


async def test_logs_that_can_be_read_leave_no_rule_blind(stage: Stage) -> None:
    evidence = await evidence_of(stage)
    assert evidence.lead_log is not None
    assert evidence.worker_log is not None


async def test_a_log_that_cannot_be_read_leaves_its_rules_blind(stage: Stage) -> None:
    stage.sim.faults.add("status", path="/log", code=500, count=-1)
    evidence = await evidence_of(stage)
    assert evidence.lead_log is None
    blind = {one.slug: one.wanting for one in diagnose(evidence).blind}
    assert Source.LEAD_LOG in blind["wrong-view"]
    assert Source.WORKER_LOG in blind["dns"]
