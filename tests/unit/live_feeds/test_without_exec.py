"""Somebody who may look at everything but not exec: what is not known is called unknown."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.kube.objects import MINICLUSTERS, NAMESPACES, parse_minicluster
from fluxstate_tui.live.cluster_feed import ClusterFeed
from fluxstate_tui.live.queue_feed import QueueFeed
from fluxstate_tui.live.store import Store
from fluxstate_tui.minicluster.minicluster import Phase
from fluxstate_tui.operations.snapshot import read_status
from fluxstate_tui.sim.api.auth import Rule, User
from fluxstate_tui.sim.server import SimulatedCluster
from tests.unit.live_feeds.test_simulated import SPEED, manifest

VIEWER = User(
    "viewer",
    (),
    (Rule(("get", "list", "watch"), ("miniclusters", "pods", "jobs", "events"), ("*",)),),
)


async def test_a_viewer_sees_unknown_in_the_dashboard_and_on_the_command_line(
    tmp_path: Path,
) -> None:
    async with SimulatedCluster(speed=SPEED) as sim:
        admin = KubeOptions(kubeconfig=str(sim.write_kubeconfig(tmp_path / "admin")))
        async with await Cluster.open(admin, sim.clock) as cluster:
            await cluster.create(NAMESPACES, {"metadata": {"name": "ns"}})
            made = await cluster.create(MINICLUSTERS, manifest("one"), "ns")
        config = str(sim.write_kubeconfig(tmp_path / "viewer", sim.add_user(VIEWER)))
        async with await Cluster.open(KubeOptions(config, namespace="ns"), sim.clock) as viewer:
            one = parse_minicluster(made)
            store = Store()
            context = OperationContext(viewer, sim.clock, tmp_path, "viewer@here")
            feeds = [
                asyncio.create_task(ClusterFeed(viewer, store.take, sim.clock).run()),
                asyncio.create_task(QueueFeed(context, store.take, one).run()),
            ]
            try:
                async with asyncio.timeout(60):
                    while not await _is_unknown(store, one.ref.uid):
                        pass
            finally:
                for feed in feeds:
                    feed.cancel()
                await asyncio.gather(*feeds, return_exceptions=True)
            assert "no right to exec" in store.summaries[one.ref.uid].reason
            seen = await read_status(context, one)
        assert seen.derived.phase is Phase.UNKNOWN
        assert "may not get pods/exec" in seen.why


async def _is_unknown(store: Store, uid: str) -> bool:
    await asyncio.sleep(0.005)
    store.take_changes()
    return uid in store.summaries and store.summaries[uid].phase is Phase.UNKNOWN
