"""Of many MiniClusters only those are connected that people look at, and what is idle is silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fluxstate_tui.clock import SystemClock
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.kube.objects import MINICLUSTERS, NAMESPACES
from fluxstate_tui.live.connection import Connection
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.live.store import Store
from fluxstate_tui.minicluster.minicluster import Phase
from fluxstate_tui.sim.flux import services
from fluxstate_tui.sim.server import SimulatedCluster
from tests.unit.live_feeds.test_simulated import manifest
from tests.unit.live_session.test_connection import until

NAMES = [f"mc-{number}" for number in range(5)]
MOST = 2
SPEED = 20.0


@asynccontextmanager
async def five(folder: Path) -> AsyncIterator[tuple[SimulatedCluster, Connection, Store]]:
    """Five MiniClusters of which two may be connected."""
    async with SimulatedCluster(speed=SPEED, world="empty") as sim:
        options = KubeOptions(str(sim.write_kubeconfig(folder / "config")), all_namespaces=True)
        async with await Cluster.open(options, sim.clock) as cluster:
            await cluster.create(NAMESPACES, {"metadata": {"name": "ns"}})
            for name in NAMES:
                body = manifest(name, archive={"path": "/s/a.tar"})
                await cluster.create(MINICLUSTERS, body, "ns")
        store = Store()
        one = Connection(options, store, SystemClock(), most_connected=MOST)
        running = asyncio.create_task(one.run())
        try:
            yield sim, one, store
        finally:
            running.cancel()
            await asyncio.wait([running])


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUXSTATE_STATE_DIR", str(tmp_path / "state"))


def queues(store: Store) -> dict[str, Freshness]:
    found = ((one.ref.name, store.source(f"queue:{uid}")) for uid, one in store.clusters.items())
    return {name: source.freshness for name, source in found if source is not None}


def connected(store: Store) -> list[str]:
    return sorted(name for name, fresh in queues(store).items() if fresh is Freshness.LIVE)


def asleep(store: Store) -> list[str]:
    return [name for name, fresh in queues(store).items() if fresh is Freshness.ASLEEP]


def all_known(store: Store) -> bool:
    """Every row has its numbers, whether connected or asked once."""
    store.take_changes()
    rows = store.summaries.values()
    return len(rows) == len(NAMES) and all(
        row.pending is not None and row.phase is Phase.UP for row in rows
    )


async def test_the_others_are_asked_once_in_turn(tmp_path: Path) -> None:
    async with five(tmp_path) as (_sim, made, store):
        await until(lambda: all_known(store) and len(connected(store)) == MOST)
        await until(lambda: len(asleep(store)) == len(NAMES) - MOST)
        assert made.connected == MOST
        assert made.context.brokers.open_now == MOST


async def test_what_is_looked_at_is_connected_and_something_else_is_not(tmp_path: Path) -> None:
    async with five(tmp_path) as (_sim, made, store):
        await until(lambda: all_known(store) and len(connected(store)) == MOST)
        last = next(one.ref for one in store.clusters.values() if one.ref.name == "mc-4")
        made.look("minicluster", [last.uid])
        await until(lambda: "mc-4" in connected(store) and len(connected(store)) == MOST)
        await until(lambda: made.context.brokers.open_now == MOST)


async def test_what_is_idle_asks_only_whether_the_server_lives(tmp_path: Path) -> None:
    """Until the clocks are compared; later only if nobody says anything (see the cluster feed)."""
    async with five(tmp_path) as (sim, _made, store):
        asked: list[str] = []

        async def gate(method: str, path: str) -> None:
            if method != "STDIN":
                asked.append(f"{method} {path.split('?')[0]}")

        await until(lambda: all_known(store) and len(connected(store)) == MOST)
        await asyncio.sleep(1.0)  # the guard's first look, the last catalog
        sim.faults.gate = gate
        await until(lambda: len(asked) >= 2)
        assert set(asked) == {"GET /version"}


async def test_a_pod_that_answers_nonsense_does_not_end_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nonsense = {"online": "", "drain": ["no", "map"], "R": {}}
    monkeypatch.setitem(services._HANDLERS, "resource.status", lambda *_: nonsense)
    async with five(tmp_path) as (_sim, made, store):
        await until(lambda: len(store.clusters) == len(NAMES))
        everywhere = [one for one in made._watched.values() if not one.connected]
        await until(lambda: all(one.asking._pod for one in everywhere))
        assert made.connected == MOST, "the connection goes on"
        assert store.source("pods").freshness is Freshness.LIVE  # type: ignore[union-attr]
