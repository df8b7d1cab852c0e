"""The queue feed and the file scripts in the simulated cluster, over real HTTP and websockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from fluxstate_tui.broker.commands import look
from fluxstate_tui.broker.files import RemoteFiles, RemoteFileTaken
from fluxstate_tui.broker.locate import NoLead, locate
from fluxstate_tui.broker.rpc import make_checkpoint
from fluxstate_tui.broker.session import SessionLost
from fluxstate_tui.broker.submit import SubmitOptions, submit, tutorial_loop
from fluxstate_tui.flux.job import JobResult, JobState
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.errors import ExecUnknown
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.kube.objects import parse_minicluster
from fluxstate_tui.live.events import BrokerSeen, QueuesSeen, StoreEvent
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.live.queue_feed import QueueFeed
from fluxstate_tui.minicluster.minicluster import MiniCluster
from fluxstate_tui.sim.server import SimulatedCluster
from tests.unit.live_queues.told import Told, context_of

SPEED = 20.0
NAME = "flux-sample"


class Stage:
    """A simulated tutorial, a feed on its MiniCluster, and what it told."""

    def __init__(self, sim: SimulatedCluster, cluster: Cluster, minicluster: MiniCluster) -> None:
        self.sim = sim
        self.cluster = cluster
        self.minicluster = minicluster
        self.told = Told()
        self.feed = QueueFeed(context_of(cluster, sim.clock), self.told.emit, minicluster)

    async def submit(self, *options: SubmitOptions) -> list[int]:
        assert self.feed.session is not None
        return [id for one in options for id in (await submit(self.feed.session, one)).ids]

    async def all_ended(self, ids: list[int]) -> None:
        def ended(_event: StoreEvent) -> bool:
            jobs = self.told.jobs
            return all(id in jobs and jobs[id].state is JobState.INACTIVE for id in ids)

        await self.told.until(ended)


@asynccontextmanager
async def stage(folder: Path, flavour: str = "2026-06") -> AsyncIterator[Stage]:
    async with (
        SimulatedCluster(speed=SPEED, world="tutorial", flavour=flavour) as sim,
        feeding(sim, folder) as on,
    ):
        yield on


@asynccontextmanager
async def feeding(sim: SimulatedCluster, folder: Path) -> AsyncIterator[Stage]:
    options = KubeOptions(str(sim.write_kubeconfig(folder / "config")))
    async with await Cluster.open(options, sim.clock) as cluster:
        resource = await cluster.minicluster_resource()
        minicluster = parse_minicluster(await cluster.get(resource, NAME, "default"))
        found = Stage(sim, cluster, minicluster)
        task = asyncio.create_task(found.feed.run())
        try:
            yield found
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("flavour", ["2026-06", "2025-09", "v1alpha1"])
async def test_the_tutorials_loop_is_followed_in_every_layout(tmp_path: Path, flavour: str) -> None:
    async with stage(tmp_path, flavour) as on:
        await on.told.source(Freshness.LIVE)
        ids = await on.submit(*tutorial_loop())
        await on.all_ended(ids)
        results = {on.told.jobs[id].result for id in ids}
        assert results == {JobResult.COMPLETED}
        assert [on.told.jobs[id].name for id in ids] == ["sleep", "whoami"] * 5


async def test_a_queue_that_is_stopped_by_anybody_is_seen_stopped(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.told.source(Freshness.LIVE)
        endpoint = await locate(on.cluster, on.minicluster)
        argv = endpoint.flux_argv(["queue", "stop", "--all", "-m", "[/foo] by hand"])
        await on.cluster.exec(endpoint.namespace, endpoint.pod, endpoint.container, argv)
        await on.told.until(
            lambda event: (
                isinstance(event, QueuesSeen)
                and event.queues[0].stop_reason == "[/foo] by hand"
                and not event.queues[0].started
            )
        )


async def test_the_scaled_clock_of_the_cluster_is_found(tmp_path: Path) -> None:
    """The feed has the simulation's clock here, so both go at the same rate."""
    async with stage(tmp_path) as on:
        seen = await on.told.until(lambda event: isinstance(event, BrokerSeen))
        assert isinstance(seen, BrokerSeen)
        assert abs(seen.clock_offset) < 2 * SPEED
        assert seen.state == "run"


async def test_a_killed_container_that_lost_jobs_says_so_and_a_checkpoint_saves_them(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as on:
        await on.told.source(Freshness.LIVE)
        kept = await on.submit(SubmitOptions(("true",), copies=3))
        await on.all_ended(kept)
        assert on.feed.session is not None
        assert (await make_checkpoint(on.feed.session)).fresh
        await on.sim.kill_lead("default", NAME)
        await on.told.source(Freshness.LIVE)
        assert set(kept) <= set(on.told.jobs)
        lost = await on.submit(SubmitOptions(("true",), copies=2))
        await on.all_ended(lost)
        await on.sim.kill_lead("default", NAME)
        live = await on.told.source(Freshness.LIVE, "back in time")
        assert "2 of 5 jobs are gone" in live.detail
        assert set(on.told.jobs) == set(kept)


async def test_a_cut_exec_is_taken_up_again_with_nothing_missing(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        on.sim.faults.add("exec-cut", amount=9000, count=3)
        await on.told.source(Freshness.LIVE)
        while on.sim.faults.active:
            if on.feed.session is None:
                await on.told.source(Freshness.LIVE)
                continue
            with suppress(SessionLost, ExecUnknown):
                await on.submit(SubmitOptions(("true",), copies=20))
            await asyncio.sleep(0)  # the feed notices it too
        endpoint = await locate(on.cluster, on.minicluster)
        there = {job.id for job in (await look(on.cluster, endpoint)).jobs}
        await on.all_ended(sorted(there))
        assert set(on.told.jobs) == there


async def test_the_file_scripts_run_in_the_pods_shell(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.told.source(Freshness.LIVE)
        endpoint = on.feed.endpoint
        assert endpoint is not None
        files = RemoteFiles(on.cluster, endpoint.namespace, endpoint.pod, endpoint.container)
        folder = "/tmp/[foo] $(x) 'y'"
        await files.mkdir(folder)
        content = bytes(range(256)) * 700
        stat = await files.write_new(f"{folder}/-a b", content)
        assert (await files.copy(f"{folder}/-a b", f"{folder}/c")).sha256 == stat.sha256
        await files.link_new(f"{folder}/c", f"{folder}/d")
        with pytest.raises(RemoteFileTaken):
            await files.write_new(f"{folder}/d", b"other")
        assert b"".join([data async for data in files.read(f"{folder}/d")]) == content
        await files.remove(f"{folder}/c")
        assert [entry.name for entry in await files.list(folder)] == ["-a b", "d"]
        assert await files.free_bytes(folder) > 0
        with pytest.raises(FileNotFoundError):
            await files.stat(f"{folder}/c")


async def test_a_deleted_minicluster_has_no_lead(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.told.source(Freshness.LIVE)
        resource = await on.cluster.minicluster_resource()
        await on.cluster.delete(resource, NAME, "default")
        await on.told.source(Freshness.ABSENT)
        with pytest.raises(NoLead):
            await locate(on.cluster, on.minicluster)


async def test_a_pod_that_is_replaced_under_the_stream_is_followed_to_the_new_one(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as on:
        await on.told.source(Freshness.LIVE)
        before = on.feed.endpoint
        assert before is not None
        [job] = await on.submit(SubmitOptions(("sleep", "1000")))
        await on.told.until(lambda _event: job in on.told.jobs)
        await on.sim.evict_pod("default", before.pod)
        live = await on.told.source(Freshness.LIVE, "back in time")
        assert on.feed.endpoint is not None
        assert on.feed.endpoint.pod_uid != before.pod_uid
        assert "1 of 1 jobs are gone" in live.detail
        assert on.told.jobs == {}


async def test_without_python_bindings_jobs_are_submitted_and_guarded_by_commands(
    tmp_path: Path,
) -> None:
    async with SimulatedCluster(speed=SPEED, world="tutorial") as sim:
        sim.state.kubelet.python_bindings = False
        async with feeding(sim, tmp_path) as on:
            await on.told.source(Freshness.LIVE, "Polling `flux jobs`")
            words = ("sh", "-c", "echo '{cc}' [/foo]")
            kept = await on.feed.submit(SubmitOptions(words, name="-[x]", copies=2))
            await on.all_ended(list(kept.ids))
            assert {on.told.jobs[id].name for id in kept.ids} == {"-[x]"}
            refused = await on.feed.submit(SubmitOptions(("true",), queue="nowhere"))
            assert "nowhere" in refused.errors[0]
            checkpoints = on.feed.checkpoints()
            assert checkpoints is not None
            assert not (await checkpoints.read()).fresh
            assert (await checkpoints.make()).fresh
            assert (await checkpoints.read()).fresh
            lost = await on.feed.submit(SubmitOptions(("true",)))
            await on.all_ended(list(lost.ids))
            assert not (await checkpoints.read()).fresh
            await on.sim.kill_lead("default", NAME)
            await on.told.until(lambda _event: set(on.told.jobs) == set(kept.ids))
