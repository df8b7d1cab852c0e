"""Named queues come up stopped after a restore; they go on as they were saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.objects import NAMESPACES
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import journal
from fluxstate_tui.operations.base import Choices, OutcomeKind
from tests.faults.stage import ANY, NAME, staged
from tests.faults.test_migrations import found, jobs_of, queue_of

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
        (restored,) = (stage.context.state_dir / "journal").glob("*-restore-*")
        record = journal.read(restored)
        assert record is not None
        assert record.facts["to start"] == ["batch"]  # for who takes it up after a kill


async def test_in_another_namespace_each_queue_is_as_it_was(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        cluster = stage.context.cluster
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "elsewhere"}}
        await cluster.create(NAMESPACES, body)
        await stage.create(flux={"brokerConfig": BROKER_CONFIG})
        await stage.flux("queue", "start", "batch")
        await stage.flux("queue", "stop", "-m", "maintenance", "debug")
        jobs = {await stage.submit(f"--queue={queue}", "true") for queue in ("batch", "debug")}
        await stage.flux("queue", "disable", "-m", "not today", "debug")
        outcome = await stage.do("migrate", Choices(to_namespace="elsewhere"))
        assert outcome.kind is OutcomeKind.COMPLETED, outcome
        new = ClusterRef("elsewhere", NAME, "")
        assert await found(stage, ANY) is None
        assert (await jobs_of(stage, new)).keys() == jobs
        assert (await queue_of(stage, new)).splitlines() == [
            "batch: Job submission is enabled",
            "batch: Scheduling is started",
            "debug: Job submission is disabled: not today",
            "debug: Scheduling is stopped: maintenance",
        ]


async def test_a_queue_that_refuses_jobs_is_never_called_open(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await stage.create(flux={"brokerConfig": BROKER_CONFIG})
        world = await MiniClusterClient.open(stage.context, ANY)
        try:
            await world.disable_queues(["debug"], "not today")
            with pytest.raises(FluxstateError, match="submission is not enabled: debug"):
                await world.read_back_enabled(["batch", "debug"], enabled=True)
            with pytest.raises(FluxstateError, match="submission is not disabled: batch"):
                await world.read_back_enabled(["batch", "debug"], enabled=False)
            await world.enable_queues(["debug"])
        finally:
            await world.close()
