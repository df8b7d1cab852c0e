"""What a script does with a cluster, and what it is told when that cannot be."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from fluxstate_tui import (
    Client,
    FluxstateError,
    MiniClusterState,
    OperationFailedError,
    Running,
    connect,
)
from fluxstate_tui.catalog.helper_pod import HelperPodNeededError
from fluxstate_tui.errors import ExitCode
from fluxstate_tui.kube.objects import PODS
from fluxstate_tui.minicluster.minicluster import Phase
from fluxstate_tui.operations.base import ConsentKind, OutcomeKind, StepEvent, StepState
from tests.faults.stage import NAME, Stage

PATIENCE = 60.0


async def until_idle(client: Client) -> MiniClusterState:
    async with asyncio.timeout(PATIENCE), aclosing(client.watch(NAME)) as states:
        async for state in states:
            if (state.pending, state.running) == (0, 0):
                return state
    raise AssertionError("a watch ended by itself")


async def test_a_list_is_what_there_is(client: Client) -> None:
    (state,) = await client.list()
    assert state == await client.get(NAME)
    assert (state.ref.name, state.size, state.phase) == (NAME, 2, Phase.UP)
    assert (state.queue, state.pending, state.running, state.inactive) == ("started", 0, 0, 0)


async def test_jobs_are_those_that_were_submitted(client: Client) -> None:
    ids = await client.submit(NAME, ["whoami"], copies=3)
    state = await until_idle(client)
    assert (state.phase, state.inactive) == (Phase.UP, 3)
    jobs = await client.jobs(NAME)
    assert [job["id"] for job in jobs] == sorted(ids)
    assert {job["result"] for job in jobs} == {"COMPLETED"}


async def test_a_watch_tells_that_a_minicluster_is_gone_and_made_again(client: Client) -> None:
    seen: list[MiniClusterState] = []
    up = asyncio.Event()

    async def watch() -> None:
        async with aclosing(client.watch(NAME)) as states:
            async for state in states:
                seen.append(state)
                if state.phase is Phase.UP:
                    up.set()
                if state.phase is Phase.UP and state.ref.uid != seen[0].ref.uid:
                    return

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(watch())
        await up.wait()
        await (await client.delete(NAME, save_first=True)).run(typed=NAME)
        await (await client.restore(NAME, helper_pod=True)).run()
    assert any(state.deleted for state in seen)


async def test_a_queue_is_saved_and_restored_onto_another_size_job_by_job(
    client: Client, stage: Stage
) -> None:
    done = await client.submit(NAME, ["whoami"])
    await until_idle(client)
    await (await client.pause(NAME)).run()
    waiting = await client.submit(NAME, ["echo", "later"], copies=2)
    events: list[StepEvent] = []

    save = await client.save(NAME, keep_paused=True)
    assert save.plan.steps
    assert await client.archives(NAME) == ()
    outcome = await save.run(progress=events.append)
    assert outcome.kind is OutcomeKind.COMPLETED
    assert {step.id for step in save.plan.steps} == {
        event.step for event in events if event.state is StepState.DONE
    }
    (entry,) = await client.archives(NAME)
    table = await client.read(NAME, entry.id)
    assert table.complete
    assert [job["id"] for job in table.jobs] == sorted((*done, *waiting))

    await (await client.delete(NAME)).run()
    with pytest.raises(FluxstateError) as gone:
        await client.get(NAME)
    assert gone.value.exit_code is ExitCode.NOT_FOUND

    with pytest.raises(HelperPodNeededError):
        await client.restore(NAME, size=3)
    with pytest.raises(HelperPodNeededError):
        await client.archives(NAME)
    assert await client.archives(NAME, helper_pod=True) == (entry,)
    restore = await client.restore(NAME, size=3, helper_pod=True)
    await restore.run()
    state = await until_idle(client)
    assert (state.size, state.inactive) == (3, 3)
    pods = await stage.context.cluster.list(
        PODS, "default", label_selector="app.kubernetes.io/managed-by=fluxstate-tui"
    )
    assert [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]] == []


async def test_a_migration_moves_every_job(client: Client) -> None:
    ids = await client.submit(NAME, ["whoami"], copies=2)
    await until_idle(client)
    plan = await client.migrate(NAME, size=1, to_name="smaller")
    await plan.run()
    assert [state.ref.name for state in await client.list()] == ["smaller"]
    assert [job["id"] for job in await client.jobs("smaller")] == sorted(ids)
    with pytest.raises(FluxstateError) as nothing:
        await client.migrate("smaller")
    assert nothing.value.exit_code is ExitCode.USAGE


async def test_what_would_be_lost_has_to_be_typed(client: Client) -> None:
    (job,) = await client.submit(NAME, ["sleep", "600"])
    plan = await client.delete(NAME)
    assert (plan.consent.kind, plan.consent.word) == (ConsentKind.TYPE_NAME, NAME)
    with pytest.raises(OperationFailedError) as refused:
        await plan.run()
    assert refused.value.exit_code is ExitCode.REFUSED
    assert refused.value.safe == "Nothing was done."
    assert [one["id"] for one in await client.jobs(NAME)] == [job]
    again = await client.delete(NAME)
    with pytest.raises(OperationFailedError):
        await again.run(typed="flux-other")
    await (await client.delete(NAME)).run(typed=NAME)
    assert await client.list() == ()


async def test_a_plan_that_is_not_run_changes_nothing(client: Client) -> None:
    await client.submit(NAME, ["sleep", "600"])
    plan = await client.save(NAME, running=Running.LEAVE)
    assert plan.preview
    await plan.close()
    assert await client.archives(NAME) == ()
    assert (await client.get(NAME)).queue == "started"


async def test_a_cancelled_task_puts_back_what_was_done(client: Client) -> None:
    await client.submit(NAME, ["sleep", "600"])
    plan = await client.save(NAME)
    stopped = asyncio.Event()

    def progress(event: StepEvent) -> None:
        if event.state is StepState.DONE:
            stopped.set()

    running = asyncio.create_task(plan.run(progress=progress))
    await stopped.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await client.get(NAME)).queue == "started"


async def test_what_is_read_only_sends_no_change(stage: Stage) -> None:
    async with connect(read_only=True) as client:
        assert client.read_only
        assert (await client.get()).phase is Phase.UP
        for change in (client.save(NAME), client.submit(NAME, ["true"]), client.create({})):
            with pytest.raises(FluxstateError) as refused:
                await change
            assert refused.value.exit_code is ExitCode.REFUSED
    assert await stage.jobs() == {}


async def test_a_protected_context_is_read_only_unless_changes_are_allowed(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLUXSTATE_CONFIG_DIR", str(tmp_path))
    (tmp_path / "config.yaml").write_text("protected: [fluxstate-*]\n")
    async with connect() as client:
        assert client.read_only
    async with connect(read_only=False) as client:
        assert not client.read_only


async def test_a_broken_manifest_is_refused_before_anything_is_created(
    client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "tutorial.yaml"
    path.write_text(
        "apiVersion: flux-framework.org/v1alpha2\nkind: MiniCluster\nmetadata: {name: other}\n"
        "spec:\n  archive: {path: /state/archive.tar.gz}\n"
        "  containers:\n    - {image: 'rockylinux:9', volumes: {data: {path: /state}}}\n"
    )
    with pytest.raises(FluxstateError) as refused:
        await client.create(path)
    assert "claim without a name" in refused.value.message
    path.write_text(path.read_text().replace("{data: {", "{data: {hostPath: /data, "))
    path.write_text(path.read_text().replace("spec:\n", "spec:\n  unheard-of: 1\n"))
    with pytest.raises(FluxstateError) as dropped:
        await client.create(path)
    assert "spec.unheard-of" in dropped.value.message
    assert [state.ref.name for state in await client.list()] == [NAME]


async def test_without_a_cluster_there_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    with pytest.raises(FluxstateError) as missing:
        async with connect():
            pass
    assert missing.value.exit_code is ExitCode.NO_CONNECTION
