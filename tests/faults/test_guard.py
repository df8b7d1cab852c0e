"""With the guard the death of the lead's container costs nothing; without it jobs are lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.broker.broker import SessionCheckpoints
from fluxstate_tui.broker.locate import locate
from fluxstate_tui.broker.objects import read_minicluster
from fluxstate_tui.broker.session import FluxSession
from fluxstate_tui.config import GuardSettings
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.live.events import GuardSeen, StoreEvent
from fluxstate_tui.live.guard import Guarding
from fluxstate_tui.operations.lease import ClusterLease
from tests.faults.stage import ANY, NAME, NAMESPACE, Stage

EVERY = GuardSettings(checkpoint=5.0)
OFF = GuardSettings(checkpoint=None)


class Told:
    """What the store was told, and a way to wait for it."""

    def __init__(self) -> None:
        self.seen: list[GuardSeen] = []
        self._news = asyncio.Event()

    def take(self, event: StoreEvent) -> None:
        assert isinstance(event, GuardSeen)
        self.seen.append(event)
        self._news.set()

    async def until(self, condition: Callable[[GuardSeen], bool]) -> GuardSeen:
        async with asyncio.timeout(30):
            while not (self.seen and condition(self.seen[-1])):
                self._news.clear()
                await self._news.wait()
        return self.seen[-1]


@asynccontextmanager
async def guarded(
    stage: Stage, settings: GuardSettings, cluster: Cluster | None = None
) -> AsyncIterator[Told]:
    """A guard with a session of its own, as the dashboard runs it."""
    context = replace(stage.context, cluster=cluster or stage.context.cluster)
    endpoint = await locate(context.cluster, await read_minicluster(context, ANY))
    told = Told()
    async with FluxSession.open(context.cluster, endpoint) as session:
        reference = await stage.ref()
        guarding = Guarding(
            context, reference, lambda: SessionCheckpoints(session), told.take, settings
        )
        task = asyncio.create_task(guarding.run())
        try:
            yield told
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def checkpoint_of(stage: Stage) -> tuple[float, bool]:
    """When the newest one was made, and whether it has everything."""
    instance = stage.sim.state.instance(NAMESPACE, NAME)
    assert instance is not None
    return instance.statedir.when, instance.statedir.sequence == instance.sequence


async def fresh(stage: Stage) -> None:
    """Wait until the newest checkpoint has everything."""
    async with asyncio.timeout(30):
        while not (await checkpoint_of(stage))[1]:
            await stage.sim.clock.sleep(0.5)


@pytest.mark.parametrize("guard", [EVERY, OFF], ids=["guarded", "unguarded"])
async def test_only_the_guard_saves_jobs_from_the_death_of_the_container(
    stage: Stage, guard: GuardSettings
) -> None:
    await stage.well("pause")
    waiting = await stage.submit("true")
    await stage.flux("kvs", "put", "--sync", "a=1")  # the last checkpoint: one job that waits
    async with guarded(stage, guard):
        await stage.well("resume")
        await stage.flux("queue", "idle")
        newer = await stage.submit("true")
        await stage.flux("queue", "idle")
        if guard is EVERY:
            await fresh(stage)
    before = await stage.jobs()

    await stage.sim.faults.do("kill-lead", namespace=NAMESPACE, minicluster=NAME)
    await stage.restarted()
    await stage.flux("queue", "idle")
    after = await stage.jobs()

    lost = before.keys() - after.keys()
    ran_twice = {job for job in after if after[job].t_run != before[job].t_run}
    assert (lost, ran_twice) == ((set(), set()) if guard is EVERY else ({newer}, {waiting}))


async def test_a_checkpoint_is_made_only_when_something_changed(stage: Stage) -> None:
    async with guarded(stage, EVERY) as told:
        await stage.submit("true")
        await stage.flux("queue", "idle")
        await fresh(stage)
        made, _ = await checkpoint_of(stage)
        await stage.sim.clock.sleep(4 * 5.0)
        assert await checkpoint_of(stage) == (made, True)
        assert (await told.until(lambda seen: seen.checkpoint_at == made)).detail == ""


async def test_read_only_makes_none_but_says_how_old_the_newest_is(stage: Stage) -> None:
    await stage.flux("kvs", "put", "--sync", "a=1")
    made, _ = await checkpoint_of(stage)
    await stage.submit("true")
    await stage.flux("queue", "idle")
    kubeconfig = stage.sim.write_kubeconfig(stage.context.state_dir.parent / "read-only")
    options = KubeOptions(kubeconfig=str(kubeconfig), read_only=True)
    async with await Cluster.open(options, stage.sim.clock) as cluster:
        settings = GuardSettings(checkpoint=5.0, save=5.0)
        async with guarded(stage, settings, cluster) as told:
            seen = await told.until(lambda seen: seen.checkpoint_at is not None)
            await stage.sim.clock.sleep(4 * 5.0)
    assert (seen.checkpoint_at, seen.detail) == (made, "off: read-only")
    assert await checkpoint_of(stage) == (made, False)
    assert stage.files() == {}


async def test_a_guard_that_loses_its_broker_says_so_and_goes_on(stage: Stage) -> None:
    told = Told()
    session: list[FluxSession] = []
    guarding = Guarding(
        stage.context,
        await stage.ref(),
        lambda: SessionCheckpoints(session[-1]) if session else None,
        told.take,
        EVERY,
    )
    task = asyncio.create_task(guarding.run())
    minicluster = await read_minicluster(stage.context, ANY)
    endpoint = await locate(stage.context.cluster, minicluster)
    try:
        await stage.sim.clock.sleep(2 * 5.0)
        assert told.seen == []  # while none was ever there, there is nothing to say
        for _ in range(2):
            async with FluxSession.open(stage.context.cluster, endpoint) as opened:
                session.append(opened)
                await told.until(lambda seen: not seen.detail and seen.checkpoint_at is not None)
            # The session died under it: told, not raised, and the last time is still known.
            seen = await told.until(lambda seen: bool(seen.detail))
            assert seen.checkpoint_at is not None
        session.clear()
        await told.until(lambda seen: "cannot be asked" in seen.detail)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_it_saves_by_itself_when_something_changed_and_running_jobs_go_on(
    stage: Stage,
) -> None:
    running = await stage.submit("sleep", "10000")
    async with guarded(stage, GuardSettings(save=60.0)) as told:
        first = await told.until(lambda seen: seen.saved_at is not None)
        assert stage.archived() == [{running}]
        assert (await stage.jobs())[running].state.running
        assert await stage.started()
        await stage.sim.clock.sleep(3 * 60.0)
        assert len(stage.archived()) == 1  # nothing changed: no second one

        await stage.submit("true")
        second = await told.until(lambda seen: seen.saved_at != first.saved_at)
        assert len(stage.archived()) == 2
        assert second.detail == ""


async def test_what_changes_while_it_saves_is_saved_the_next_time(stage: Stage) -> None:
    """The last change may be one that came after the dump: nothing else would change any more."""
    waiting = await stage.submit("--urgency=0", "true")
    async with guarded(stage, GuardSettings(save=60.0)) as told:

        async def finish_it(method: str, said: str) -> None:
            if stage.finished():  # the archive has its name: it is too late for that one
                stage.sim.faults.gate = None
                await stage.flux("job", "urgency", str(waiting), "16")

        stage.sim.faults.gate = finish_it
        first = await told.until(lambda seen: seen.saved_at is not None)
        await stage.flux("queue", "drain")
        await told.until(lambda seen: seen.saved_at != first.saved_at)
    saved = [
        archived.job.status
        for name in sorted(stage.finished())
        if name.endswith(".tar.gz")
        for archived in read_archive(stage.volume.read(f"/fluxstate/{name}")).jobs
    ]
    assert saved[-1] == "COMPLETED"


async def test_a_save_that_is_not_possible_now_is_told_and_tried_again(stage: Stage) -> None:
    await stage.submit("true")
    lease = ClusterLease(stage.context, await stage.ref(), "restore")
    await lease.acquire()
    lease.keep(lambda text: None)
    async with guarded(stage, GuardSettings(save=60.0)) as told:
        seen = await told.until(lambda seen: "not saved" in seen.detail)
        assert "works on this MiniCluster (restore)" in seen.detail
        assert stage.files() == {}
        await lease.release()
        await told.until(lambda seen: seen.saved_at is not None and not seen.detail)
    assert len(stage.archived()) == 1


async def test_leaving_in_the_middle_of_such_a_save_puts_the_queue_back(stage: Stage) -> None:
    job = await stage.submit("sleep", "10000")
    async with guarded(stage, GuardSettings(save=60.0)):
        async with asyncio.timeout(30):
            while await stage.started():
                await stage.sim.clock.sleep(0.2)
    assert await stage.started()
    assert stage.unfinished() == []
    assert job in await stage.jobs()
    assert [name for name in stage.files() if name.startswith(".")] == []


async def test_flux_goes_on_guarding_when_nobody_watches_any_more(stage: Stage) -> None:
    async with guarded(stage, EVERY) as told:
        await told.until(lambda seen: seen.period == "5s")
    job = await stage.submit("--urgency=0", "true")
    instance = stage.sim.state.instance(NAMESPACE, NAME)
    assert instance is not None
    while instance.statedir.sequence != instance.sequence:
        await stage.sim.clock.sleep(0.5)
    await stage.sim.faults.do("kill-lead", namespace=NAMESPACE, minicluster=NAME)
    await stage.restarted()
    assert job in await stage.jobs()


async def test_a_restarted_broker_is_told_again(stage: Stage) -> None:
    async with guarded(stage, EVERY) as told:
        await told.until(lambda seen: seen.period == "5s")
    await stage.sim.faults.do("kill-lead", namespace=NAMESPACE, minicluster=NAME)
    await stage.restarted()
    instance = stage.sim.state.instance(NAMESPACE, NAME)
    assert instance is not None
    assert instance.config == {}
    async with guarded(stage, EVERY) as told:
        await told.until(lambda seen: seen.period == "5s")


async def test_a_period_that_somebody_set_stays(stage: Stage) -> None:
    instance = stage.sim.state.instance(NAMESPACE, NAME)
    assert instance is not None
    instance.load_config({"kvs": {"checkpoint-period": "30m"}, "other": {"a": 1}})
    async with guarded(stage, EVERY) as told:
        seen = await told.until(lambda seen: bool(seen.period))
    assert seen.period == "30m"
    assert instance.config["other"] == {"a": 1}


async def test_without_the_guard_flux_is_not_told_to_guard(stage: Stage) -> None:
    async with guarded(stage, OFF) as told:
        await told.until(lambda seen: seen.detail == "off: as configured")
    instance = stage.sim.state.instance(NAMESPACE, NAME)
    assert instance is not None
    assert instance.config == {}
