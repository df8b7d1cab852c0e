"""Nothing is deleted that no archive has, unless its name was typed."""

from __future__ import annotations

import asyncio

import pytest

from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.errors import NotFound
from fluxstate_tui.kube.objects import PODS, PVCS
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import (
    Choices,
    ConsentKind,
    News,
    OperationKind,
    Outcome,
    OutcomeKind,
    StepEvent,
    StepState,
)
from fluxstate_tui.operations.registry import prepare
from fluxstate_tui.sim.worlds.manifests import minicluster
from tests.faults.stage import NAME, NAMESPACE, Stage, agreed


async def exists(stage: Stage) -> bool:
    try:
        await stage.ref()
    except NotFound:
        return False
    return True


async def accepts_jobs(stage: Stage) -> bool:
    return "Job submission is enabled" in await stage.flux("queue", "status")


async def test_without_an_archive_a_yes_is_not_enough(stage: Stage) -> None:
    await stage.submit("true")
    operation = await prepare(OperationKind.DELETE, stage.context, await stage.ref())
    assert operation.plan.consent.kind is ConsentKind.TYPE_NAME
    outcome = await operation.run(stage.seen.append, "yes")
    assert outcome.exit_code == ExitCode.REFUSED
    assert await exists(stage)
    assert await stage.started()


async def test_a_job_that_came_after_the_archive_needs_the_name_again(stage: Stage) -> None:
    await stage.submit("true")
    await stage.well("save")
    await stage.submit("true")
    operation = await prepare(OperationKind.DELETE, stage.context, await stage.ref())
    assert operation.plan.consent.kind is ConsentKind.TYPE_NAME
    assert any("LOST, in no archive: 1" in line for line in operation.plan.preview)
    await operation.close()


async def test_a_job_that_comes_between_the_question_and_the_delete_stops_it(
    stage: Stage,
) -> None:
    await stage.submit("true")
    await stage.well("save")
    operation = await prepare(OperationKind.DELETE, stage.context, await stage.ref())
    assert operation.plan.consent.kind is ConsentKind.CONFIRM
    late = await stage.submit("true")
    outcome = await operation.run(stage.seen.append)
    assert outcome.exit_code == ExitCode.REFUSED
    assert late in await stage.jobs()
    assert await stage.started()
    assert await accepts_jobs(stage)


async def test_an_archive_that_is_damaged_after_the_question_stops_it(stage: Stage) -> None:
    job = await stage.submit("true")
    await stage.well("save")
    operation = await prepare(OperationKind.DELETE, stage.context, await stage.ref())
    (name,) = [name for name in stage.finished() if name.endswith(".tar.gz")]
    data = bytearray(stage.volume.read(f"/fluxstate/{name}"))
    data[len(data) // 2] ^= 1
    stage.volume.write(f"/fluxstate/{name}", bytes(data))
    outcome = await operation.run(stage.seen.append)
    assert outcome.exit_code == ExitCode.REFUSED, outcome
    assert job in await stage.jobs()
    assert await stage.started()


async def test_no_job_can_slip_in_while_it_is_deleted(stage: Stage) -> None:
    await stage.submit("true")
    await stage.well("save")
    tries = []

    def submit(event: StepEvent) -> None:
        if event.step == "close" and event.state is StepState.DONE:
            tries.append(asyncio.create_task(stage.submit("true")))

    operation = await prepare(OperationKind.DELETE, stage.context, await stage.ref())
    outcome = await operation.run(submit)
    (slipped,) = await asyncio.gather(*tries, return_exceptions=True)
    assert isinstance(slipped, Exception), "the job was accepted and is lost"
    assert outcome.kind is OutcomeKind.COMPLETED


async def test_a_damaged_archive_does_not_stand_for_the_minicluster(stage: Stage) -> None:
    await stage.submit("true")
    await stage.well("save")
    (name,) = [name for name in stage.finished() if name.endswith(".tar.gz")]
    data = bytearray(stage.volume.read(f"/fluxstate/{name}"))
    data[len(data) // 2] ^= 1
    stage.volume.write(f"/fluxstate/{name}", bytes(data))
    operation = await prepare(OperationKind.DELETE, stage.context, await stage.ref())
    assert operation.plan.consent.kind is ConsentKind.TYPE_NAME
    await operation.close()


async def test_an_archive_of_an_earlier_minicluster_of_that_name_does_not_count(
    stage: Stage,
) -> None:
    await stage.submit("true")
    await stage.well("delete", Choices(save_first=True))
    await stage.well("restore")
    operation = await prepare(OperationKind.DELETE, stage.context, await stage.ref())
    assert operation.plan.consent.kind is ConsentKind.TYPE_NAME
    await operation.close()


async def test_a_delete_that_fails_lets_the_queue_go_on(stage: Stage) -> None:
    await stage.submit("true")
    await stage.well("save")
    stage.sim.faults.add("status", method="DELETE", path="miniclusters", count=-1, code=409)
    outcome = await stage.do("delete")
    stage.sim.faults.clear()
    assert outcome.kind is OutcomeKind.FAILED, outcome
    assert await exists(stage)
    assert await stage.started()
    assert await accepts_jobs(stage)
    assert stage.unfinished() == []


@pytest.mark.parametrize("kind", ["drop", "lost-answer"])
async def test_a_delete_whose_answer_is_lost_is_looked_up(stage: Stage, kind: str) -> None:
    await stage.submit("true")
    await stage.well("save")
    stage.sim.faults.add(kind, method="DELETE", path="miniclusters")
    outcome = await stage.do("delete")
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    assert not await exists(stage)


async def test_done_means_that_every_pod_is_gone(stage: Stage) -> None:
    await stage.submit("true")
    await stage.well("delete", Choices(save_first=True))
    waited = [event.read_back for event in stage.seen if event.step == "gone"]
    assert any("pods/" in text for text in waited)
    assert stage.sim.state.instance(NAMESPACE, NAME) is None


async def test_a_dead_minicluster_is_deleted_only_by_its_name(stage: Stage) -> None:
    await stage.submit("true")
    await stage.well("save")
    instance = stage.sim.state.instance(NAMESPACE, NAME)
    assert instance is not None
    instance.exit(1)
    blind = await prepare(OperationKind.DELETE, stage.context, await stage.ref())
    assert any("was not looked at" in line for line in blind.plan.preview)
    await blind.close()
    operation = await prepare(
        OperationKind.DELETE, stage.context, await stage.ref(), agreed(Choices())
    )
    assert operation.plan.consent.kind is ConsentKind.TYPE_NAME
    assert any("newest verified archive" in line for line in operation.plan.preview)
    outcome = await operation.run(stage.seen.append, NAME)
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    await stage.well("restore")
    assert len(await stage.jobs()) == 1


async def test_a_volume_claim_that_goes_with_the_last_pod_stops_a_delete_and_a_migration(
    stage: Stage,
) -> None:
    cluster = stage.context.cluster
    body = minicluster("claimed", 1)
    body["spec"]["containers"][0]["volumes"]["data"] = {"claimName": "data", "path": "/state"}
    await cluster.create(await cluster.minicluster_resource(), body, NAMESPACE)
    ref = ClusterRef(NAMESPACE, "claimed", "")
    await stage.up(ref)
    saved = await (await prepare(OperationKind.SAVE, stage.context, ref)).run(stage.seen.append)
    assert saved.kind is OutcomeKind.COMPLETED
    await cluster.delete(PVCS, "data", NAMESPACE)
    outcome = await (await prepare(OperationKind.DELETE, stage.context, ref)).run(
        stage.seen.append, "yes"
    )
    assert outcome.exit_code == ExitCode.REFUSED
    assert (await cluster.get(PVCS, "data", NAMESPACE))["metadata"]["deletionTimestamp"]
    with pytest.raises(FluxstateError, match="claim data of its archives is being deleted"):
        await prepare(OperationKind.MIGRATE, stage.context, ref, Choices(size=3))


async def test_a_delete_that_never_arrives_is_not_called_under_way_and_puts_the_queue_back(
    stage: Stage,
) -> None:
    job = await stage.submit("true")
    await stage.well("save")
    operation = await prepare(OperationKind.DELETE, stage.context, await stage.ref())
    stage.sim.faults.add("drop", method="DELETE", path="miniclusters/", count=-1)
    outcome = await operation.run(stage.seen.append)
    assert outcome.kind is OutcomeKind.UNKNOWN, outcome
    assert "is not being deleted" in outcome.reason
    assert job in await stage.jobs()
    assert await stage.started()
    assert await accepts_jobs(stage)
    assert stage.unfinished() == []


async def cancelled_at(stage: Stage, method: str, path: str) -> Outcome:
    """A delete that is cancelled while that request, the first of its kind, is on its way."""
    operation = await prepare(OperationKind.DELETE, stage.context, await stage.ref())

    async def cancel(its_method: str, its_path: str) -> None:
        if its_method == method and path in its_path:
            stage.sim.faults.gate = None
            operation.cancel()

    stage.sim.faults.gate = cancel
    return await operation.run(stage.seen.append)


async def test_a_delete_that_is_on_its_way_cannot_be_cancelled_and_says_so(stage: Stage) -> None:
    await stage.submit("true")
    await stage.well("save")
    outcome = await cancelled_at(stage, "DELETE", "miniclusters/")
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    assert not await exists(stage)
    assert any("too late to stop" in event.read_back for event in stage.seen)
    assert not any(event.news is News.PUT_BACK for event in stage.seen)


async def test_who_does_not_wait_for_the_end_of_a_delete_is_told_that_it_goes_on(
    stage: Stage,
) -> None:
    await stage.submit("true")
    await stage.well("save")
    operation = await prepare(OperationKind.DELETE, stage.context, await stage.ref())

    def stop(event: StepEvent) -> None:
        if event.step == "gone" and event.read_back.startswith("waiting"):
            operation.cancel()

    outcome = await operation.run(stop)
    assert outcome.kind is OutcomeKind.CANCELLED
    assert f"{NAMESPACE}/{NAME} is being deleted" in outcome.safe
    assert not await exists(stage)


@pytest.mark.parametrize("code", [500, 504])
async def test_an_api_server_that_fails_once_does_not_decide_a_delete(
    stage: Stage, code: int
) -> None:
    await stage.submit("true")
    await stage.well("save")
    stage.sim.faults.add("status", method="DELETE", path="miniclusters/", code=code)
    outcome = await stage.do("delete")
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    assert not await exists(stage)


async def test_an_object_that_replaced_it_after_the_question_is_not_deleted(stage: Stage) -> None:
    await stage.submit("true")
    await stage.well("save")
    operation = await prepare(OperationKind.DELETE, stage.context, await stage.ref())
    cluster = stage.context.cluster
    await cluster.delete(await cluster.minicluster_resource(), NAME, NAMESPACE)
    while await exists(stage) or await stage.context.cluster.list(PODS, NAMESPACE):
        await stage.sim.clock.sleep(1.0)
    await stage.create()
    replaced = await stage.ref()
    outcome = await operation.run(stage.seen.append)
    assert outcome.kind is not OutcomeKind.COMPLETED
    assert await stage.ref() == replaced


async def test_what_a_delete_says_of_its_save_has_no_word_too_many_and_no_danger_too_few(
    stage: Stage,
) -> None:
    await stage.submit("true")
    stage.volume.write("/archive.tar.gz", b"armed")
    choices = Choices(save_first=True)
    operation = await prepare(OperationKind.DELETE, stage.context, await stage.ref(), choices)
    text = " ".join(operation.plan.preview)
    assert "DANGER: an archive is armed" in text
    assert "the queue is as it is now" not in text
    await operation.close()


async def test_a_delete_whose_end_nobody_saw_is_unknown_and_goes_on_by_itself(
    stage: Stage,
) -> None:
    await stage.submit("true")
    operation = await prepare(
        OperationKind.DELETE, stage.context, await stage.ref(), Choices(save_first=True)
    )

    def die(event: StepEvent) -> None:
        if event.step == "gone" and event.state is StepState.RUNNING:
            stage.sim.faults.add("drop", count=-1)

    outcome = await operation.run(die)
    stage.sim.faults.clear()
    assert (outcome.kind, outcome.exit_code) == (OutcomeKind.UNKNOWN, ExitCode.UNKNOWN), outcome
    assert "goes on by itself" in outcome.safe
    assert "Nothing was changed" not in outcome.safe


async def test_what_is_deleted_whole_is_not_said_to_be_going_on(stage: Stage) -> None:
    outcome = await stage.well("delete", Choices(save_first=True))
    assert "is deleted" in outcome.reason
    assert "goes on" not in outcome.safe


async def ended(stage: Stage, choices: Choices) -> tuple[Outcome, str, float]:
    """The outcome of a delete, what its delete step says, and how long the pods took to go."""
    operation = await prepare(OperationKind.DELETE, stage.context, await stage.ref(), choices)
    outcome = await operation.run(stage.seen.append, operation.plan.consent.word)
    said = next(event for event in stage.seen if event.step == "delete" and event.read_back)
    begun = next(event.at for event in stage.seen if event.step == "gone")
    gone = max(event.at for event in stage.seen if event.step == "gone")
    return outcome, said.read_back, gone - begun


async def test_flux_is_shut_down_once_the_delete_was_accepted_so_the_pods_go_at_once(
    stage: Stage,
) -> None:
    await stage.submit("true")
    outcome, said, seconds = await ended(stage, Choices(save_first=True))
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    assert said.endswith("Flux shuts down")
    assert seconds < 15, "of the simulated time; 31 s without"


async def test_where_jobs_run_flux_is_not_shut_down_for_it_would_cancel_them(
    stage: Stage,
) -> None:
    await stage.submit("sleep", "1000")
    outcome, said, seconds = await ended(stage, Choices())
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    assert "jobs still run, so Flux was not shut down" in said
    assert seconds > 25


async def test_a_shutdown_that_is_refused_changes_nothing_but_the_time(stage: Stage) -> None:
    await stage.submit("true")
    refused = asyncio.Event()

    async def gate(method: str, path: str) -> None:
        if "/exec" in path and "shutdown" in path:
            refused.set()
            raise PermissionError

    stage.sim.faults.gate = gate
    outcome, said, _seconds = await ended(stage, Choices(save_first=True))
    assert refused.is_set()
    assert outcome.kind is OutcomeKind.COMPLETED, outcome
    assert "Flux could not be shut down" in said
