"""The client and its feed against the simulated cluster, on good days and bad ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.errors import (
    CommandNotFound,
    Conflict,
    ContainerNotFound,
    ExecUnknown,
    Forbidden,
    Invalid,
    OutcomeUnknown,
)
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.kube.objects import JOBS, MINICLUSTERS, NAMESPACES, PODS
from fluxstate_tui.live.cluster_feed import ClusterFeed
from fluxstate_tui.minicluster.minicluster import Phase
from fluxstate_tui.sim.api.auth import Rule, User
from fluxstate_tui.sim.server import SimulatedCluster
from tests.unit.live_feeds.picture import Picture

SPEED = 20


def manifest(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "flux-framework.org/v1alpha2",
        "kind": "MiniCluster",
        "metadata": {"name": name, "namespace": "ns"},
        "spec": {"size": 2, "interactive": True, "containers": [{"image": "rocky"}], **spec},
    }


@asynccontextmanager
async def simulated(
    folder: Path, user: User | None = None, **options: Any
) -> AsyncIterator[tuple[SimulatedCluster, Cluster]]:
    async with SimulatedCluster(speed=SPEED) as sim:
        admin = KubeOptions(kubeconfig=str(sim.write_kubeconfig(folder / "admin")))
        async with await Cluster.open(admin, sim.clock) as cluster:
            await cluster.create(NAMESPACES, {"metadata": {"name": "ns"}})
        token = sim.add_user(user) if user else None
        config = str(sim.write_kubeconfig(folder / "config", token))
        options = {"namespace": "ns", **options}
        async with await Cluster.open(KubeOptions(config, **options), sim.clock) as cluster:
            yield sim, cluster


@asynccontextmanager
async def watched(sim: SimulatedCluster, cluster: Cluster) -> AsyncIterator[Picture]:
    picture = Picture()
    feed = asyncio.create_task(ClusterFeed(cluster, picture.take, sim.clock).run())
    try:
        await picture.until(lambda: len(picture.freshness) == 4)
        yield picture
    finally:
        feed.cancel()
        await asyncio.gather(feed, return_exceptions=True)


async def running(cluster: Cluster, picture: Picture, name: str) -> str:
    """Create a MiniCluster and wait for its lead; the lead pod's name."""
    await cluster.create(MINICLUSTERS, manifest(name), "ns")

    def lead() -> str:
        found = picture.named(name)
        pods = picture.pods_of(found.ref.uid) if found else []
        up = [pod for pod in pods if pod.index == 0 and pod.phase == "Running"]
        return up[0].name if up else ""

    await picture.until(lead)
    return lead()


async def test_a_minicluster_is_followed_from_its_create_to_its_last_pod(tmp_path: Path) -> None:
    async with simulated(tmp_path) as (sim, cluster), watched(sim, cluster) as picture:
        await cluster.create(MINICLUSTERS, manifest("one"), "ns")
        await picture.until(lambda: picture.named("one"))
        one = picture.named("one")
        assert one is not None
        phases: list[Phase] = []

        def reached(wanted: Phase) -> bool:
            phases.append(picture.phase(one, sim.clock.now()).phase)
            return phases[-1] is wanted

        await picture.until(lambda: reached(Phase.STARTING))
        assert set(phases) <= {Phase.SCHEDULING, Phase.INIT, Phase.STARTING}
        assert [pod.index for pod in picture.pods_of(one.ref.uid)] == [0, 1]
        with pytest.raises(Conflict):
            await cluster.delete(MINICLUSTERS, "one", "ns", uid="another")
        await cluster.delete(MINICLUSTERS, "one", "ns", uid=one.ref.uid)
        await picture.until(lambda: not picture.clusters)
        assert picture.pods_of(one.ref.uid), "the pods linger, and are still known as its own"
        await picture.until(lambda: not picture.pods)


WATCHED = r"/(miniclusters|pods|jobs|events)(\?|$)"
TROUBLE: dict[str, dict[str, Any]] = {
    "connections that die": {"kind": "drop", "count": 12},
    "an overloaded server": {"kind": "status", "code": 429, "seconds": 1.0, "count": 12},
    "a failing server": {"kind": "status", "code": 500, "count": 12},
    "403 for a moment": {"kind": "status", "code": 403, "count": 4},
    "credentials refused for a moment": {"kind": "status", "code": 401, "count": 8},
    "watches that are cut": {"kind": "cut", "amount": 1, "count": 12},
    "watches that expire": {"kind": "expire", "count": 12},
    "watches that fall silent": {"kind": "silent", "count": 4},
    "slow answers": {"kind": "slow", "seconds": 0.02, "count": 40},
}


@pytest.mark.parametrize("fault", TROUBLE.values(), ids=TROUBLE.keys())
async def test_the_picture_is_true_again_after_trouble(
    tmp_path: Path, fault: dict[str, Any]
) -> None:
    async with simulated(tmp_path) as (sim, cluster):
        await cluster.create(MINICLUSTERS, manifest("before"), "ns")
        on = sim.faults.add(**{"method": "GET", "path": WATCHED, **fault})
        async with watched(sim, cluster) as picture:
            for name in ("one", "two", "three"):
                await cluster.create(MINICLUSTERS, manifest(name, size=1), "ns")
            for name in ("one", "before"):
                await cluster.delete(MINICLUSTERS, name, "ns")
            await cluster.create(MINICLUSTERS, manifest("before"), "ns")
            await picture.until(picture.live)
            await picture.until(lambda: _names(picture) == {"before", "two", "three"})
            assert on.count < fault["count"], "the fault was met"
            sim.faults.clear()
            await picture.until(lambda: all(_up(picture, name) for name in _names(picture)))
            await picture.until(lambda: len(picture.pods) == 4)
            for resource, known in ((PODS, picture.pods), (JOBS, picture.jobs)):
                listed = await cluster.list(resource, "ns")
                assert {item["metadata"]["uid"] for item in listed} == set(known)


def _names(picture: Picture) -> set[str]:
    return {found.ref.name for found in picture.clusters.values()}


def _up(picture: Picture, name: str) -> bool:
    found = picture.named(name)
    pods = picture.pods_of(found.ref.uid) if found else []
    return bool(found) and [pod.phase for pod in pods] == ["Running"] * (found.size if found else 0)


async def test_a_restart_of_the_api_server_is_survived(tmp_path: Path) -> None:
    async with simulated(tmp_path) as (sim, cluster), watched(sim, cluster) as picture:
        await running(cluster, picture, "one")
        await sim.faults.do("restart-api", seconds=2.0)
        await picture.until(lambda: set(picture.freshness.values()) == {"stale"})
        # Open watches alone would hang for a minute, and then be called silent.
        assert all(told.startswith("No connection") for told in picture.troubles)
        assert picture.named("one"), "the last picture stays"
        await picture.until(picture.live)
        await cluster.create(MINICLUSTERS, manifest("two"), "ns")
        await picture.until(lambda: picture.named("two"))


async def test_forgotten_history_means_a_fresh_list(tmp_path: Path) -> None:
    async with simulated(tmp_path) as (sim, cluster), watched(sim, cluster) as picture:
        await picture.until(picture.live)
        await sim.faults.do("restart-api", seconds=1.0)
        await picture.until(lambda: "stale" in picture.freshness.values())
        await sim.faults.do("compact")
        await picture.until(picture.live)
        await cluster.create(MINICLUSTERS, manifest("one"), "ns")
        await picture.until(lambda: picture.named("one"))


async def test_who_may_see_one_namespace_only_sees_that_one(tmp_path: Path) -> None:
    rules = (Rule(("get", "list", "watch"), ("*",), ("*",), ("ns",)),)
    alice = User("alice", (), rules)
    async with (
        simulated(tmp_path, alice, all_namespaces=True) as (sim, cluster),
        watched(sim, cluster) as picture,
    ):
        await picture.until(picture.live)
        assert picture.details["pods"].startswith("Only namespace 'ns': User 'alice' may not")
        with pytest.raises(Forbidden) as caught:
            await cluster.create(MINICLUSTERS, manifest("one"), "ns")
        assert 'verbs: ["create"]' in caught.value.rule
        assert not await cluster.access.can("create", MINICLUSTERS, "ns")
        assert await cluster.access.can("list", PODS, "ns")
        assert not await cluster.access.can_exec("ns")


async def test_exec_tells_what_happened_and_when_it_cannot(tmp_path: Path) -> None:
    async with simulated(tmp_path) as (sim, cluster), watched(sim, cluster) as picture:
        pod = await running(cluster, picture, "one")
        done = await cluster.exec("ns", pod, "one", ["sh", "-c", "echo a; echo b >&2; exit 3"])
        assert (done.code, done.stdout, done.stderr) == (3, b"a\n", b"b\n")
        echoed = await cluster.exec("ns", pod, "one", ["cat"], stdin=b"x" * 100_000)
        assert echoed.stdout == b"x" * 100_000
        with pytest.raises(CommandNotFound, match="no-such-program"):
            await cluster.exec("ns", pod, "one", ["no-such-program"])
        with pytest.raises(ContainerNotFound):
            await cluster.exec("ns", pod, "two", ["true"])
        for fault in ("exec-cut", "exec-no-status"):
            sim.faults.add(fault, amount=1)
            with pytest.raises(ExecUnknown):
                await cluster.exec("ns", pod, "one", ["echo", "hello"])


async def test_a_lost_answer_is_an_unknown_outcome_and_the_effect_can_be_looked_up(
    tmp_path: Path,
) -> None:
    async with simulated(tmp_path) as (sim, cluster):
        sim.faults.add("lost-answer", method="POST")
        with pytest.raises(OutcomeUnknown):
            await cluster.create(MINICLUSTERS, manifest("one"), "ns")
        assert (await cluster.get(MINICLUSTERS, "one", "ns"))["metadata"]["name"] == "one"
        with pytest.raises(Invalid):
            await cluster.create(MINICLUSTERS, manifest("two", size="q"), "ns")
        with pytest.raises(Conflict) as caught:
            await cluster.create(MINICLUSTERS, manifest("one"), "ns")
        assert caught.value.already_exists
