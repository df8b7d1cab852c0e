"""A restore asks the API server first, says why it waits and failed, and can be repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.objects import PODS
from fluxstate_tui.operations.base import Choices, OperationKind, OutcomeKind, StepEvent, StepState
from fluxstate_tui.operations.registry import prepare
from fluxstate_tui.sim.worlds.manifests import tutorial_minicluster
from tests.faults.stage import ANY, NAME, NAMESPACE, Stage, agreed


async def deleted(stage: Stage) -> tuple[set[int], dict[str, str]]:
    """Jobs that are only in the catalog now, and its files."""
    jobs = {await stage.submit("true"), await stage.submit("--urgency=0", "true")}
    await stage.well("delete", Choices(save_first=True))
    return jobs, stage.files()


async def test_what_the_api_server_would_refuse_is_known_before_anything_is_armed(
    stage: Stage,
) -> None:
    jobs, files = await deleted(stage)
    operation = await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())
    stage.sim.faults.add("status", method="POST", path="miniclusters.*dryRun=All", code=422)
    asked: list[str] = []

    async def gate(method: str, path: str) -> None:
        if method == "POST" and "miniclusters" in path:
            asked.append(path)
            assert not stage.armed()

    stage.sim.faults.gate = gate
    outcome = await operation.run(stage.seen.append)
    stage.sim.faults.gate = None
    assert outcome.kind is OutcomeKind.FAILED, outcome
    assert [path.endswith("?dryRun=All") for path in asked] == [True]
    assert not stage.armed()
    assert stage.files() == files
    await stage.well("restore")
    assert jobs <= (await stage.jobs()).keys()


async def test_a_restore_whose_pods_never_run_says_why_meanwhile_and_is_taken_up_again(
    stage: Stage,
) -> None:
    jobs, files = await deleted(stage)
    body = tutorial_minicluster(stage.sim.state.flavour, NAME, 2)
    body["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "1000"}}
    outcome = await stage.do("restore", Choices(manifest=body, start_timeout=60))
    assert outcome.kind is OutcomeKind.FAILED, outcome
    why = "2 of 2 pods cannot be placed: 0/1 nodes are available: 1 Insufficient cpu."
    assert any(why in event.read_back for event in stage.seen if event.state is StepState.RUNNING)
    assert outcome.reason.startswith("Wait for the broker: its broker does not run after 1m00s")
    assert why in outcome.reason
    assert outcome.advice
    assert (stage.files(), stage.armed(), stage.unfinished()) == (files, False, [])
    await stage.well("restore")
    assert jobs <= (await stage.jobs()).keys()


@pytest.mark.parametrize("left", [None, b""], ids=["gone", "empty"])
async def test_a_broker_that_came_up_empty_without_a_word_is_not_called_restored(
    stage: Stage, left: bytes | None
) -> None:
    """Real Flux says nothing when there is no archive, or one of 0 bytes (ARCHITECTURE.md#F18)."""
    _, files = await deleted(stage)

    def spoil(event: StepEvent) -> None:
        if event.step == "create" and event.state is StepState.DONE and stage.armed():
            stage.volume.unlink("/archive.tar.gz")
            if left is not None:
                stage.volume.write("/archive.tar.gz", left)

    outcome = await (await prepare(OperationKind.RESTORE, stage.context, ANY, agreed())).run(spoil)
    assert outcome.kind is not OutcomeKind.COMPLETED
    assert "2 lost" in outcome.reason
    # What was exchanged is put aside into the catalog; all else is as it was.
    assert stage.files().items() >= files.items()


async def test_a_volume_that_is_not_there_is_known_before_anything_is_created(
    stage: Stage,
) -> None:
    await deleted(stage)
    body = tutorial_minicluster(stage.sim.state.flavour, NAME, 2)
    body["spec"]["containers"][0]["volumes"] = {"d": {"claimName": "nosuch", "path": "/state"}}
    with pytest.raises(FluxstateError) as refused:
        await prepare(OperationKind.RESTORE, stage.context, ANY, agreed(Choices(manifest=body)))
    assert "nosuch" in refused.value.message
    assert await stage.context.cluster.list(PODS, NAMESPACE) == []
    assert not stage.armed()


async def test_jobs_that_never_fit_again_are_told_with_what_to_do(stage: Stage) -> None:
    await stage.well("pause")
    await stage.submit("-N2", "true")
    await stage.well("delete", Choices(save_first=True))
    outcome = await stage.do("restore", Choices(size=1))
    assert outcome.kind is OutcomeKind.PARTIALLY_FAILED, outcome
    assert "1 job came back FAILED" in outcome.reason
    assert "onto a larger size" in outcome.advice


async def test_what_ran_at_the_dump_is_told_from_what_depended_on_it_and_no_size_is_advised(
    stage: Stage,
) -> None:
    await stage.well("delete", Choices(save_first=True))
    archive = Path(__file__).parents[1] / "data" / "preview" / "chain.tar.gz"
    outcome = await stage.do("restore", Choices(from_file=archive))
    assert outcome.kind is OutcomeKind.PARTIALLY_FAILED, outcome
    assert "4 jobs came back FAILED" in outcome.reason
    assert "1 ran at the dump (run it again by hand), 3 depended on such jobs" in outcome.reason
    assert "size helps" in outcome.advice
    assert "larger size" not in outcome.advice


async def test_preview_outcome_and_flux_agree_on_jobs_that_require_nodes(stage: Stage) -> None:
    await stage.well("delete", Choices(save_first=True))
    archive = Path(__file__).parents[1] / "data" / "preview" / "constraints.tar.gz"
    operation = await prepare(
        OperationKind.RESTORE, stage.context, ANY, agreed(Choices(from_file=archive))
    )
    assert "4 jobs can never fit" in operation.plan.preview
    assert "1 job starts at once" in operation.plan.preview
    outcome = await operation.run(stage.seen.append)
    assert "4 refused" in outcome.reason
    assert "4 jobs came back FAILED" in outcome.reason
    failed = [job.name for job in (await stage.jobs()).values() if job.t_run is None]
    assert sorted(failed) == ["not-host", "on-gpu", "on-host-3", "on-rank-3"]
