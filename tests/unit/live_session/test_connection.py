"""The dashboard's one connection, against the simulated cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fluxstate_tui.clock import SystemClock
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.live.connection import Connection
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.live.store import Store
from fluxstate_tui.sim.server import SimulatedCluster

PATIENCE = 30.0


@asynccontextmanager
async def connection(
    folder: Path, opened: Callable[[str], None] = lambda place: None
) -> AsyncIterator[tuple[Connection, Store]]:
    async with SimulatedCluster(speed=20, world="empty") as sim:
        options = KubeOptions(str(sim.write_kubeconfig(folder / "config")))
        store = Store()
        made = Connection(options, store, SystemClock(), opened=opened)
        try:
            yield made, store
        finally:
            await made.stop()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 (the store has no awaitable)
            await asyncio.sleep(0.01)


def is_live(store: Store) -> bool:
    source = store.source("miniclusters")
    return source is not None and source.freshness is Freshness.LIVE


async def test_connecting_again_while_a_connection_runs_ends_in_a_new_one(tmp_path: Path) -> None:
    opened: list[str] = []
    async with connection(tmp_path, opened.append) as (made, store):
        first = asyncio.create_task(made.run())
        await until(lambda: is_live(store))
        first.cancel()  # as the app does it: the older one is cancelled, the newer begins at once
        second = asyncio.create_task(made.run())
        await asyncio.wait([first])
        await until(lambda: second.done() or len(opened) == 2)
        assert not second.done()
        assert made.cluster.context == "fluxstate-sim"


async def test_it_says_where_it_is_connected_to(tmp_path: Path) -> None:
    places: list[str] = []
    async with connection(tmp_path, places.append) as (made, store):
        running = asyncio.create_task(made.run())
        await until(lambda: is_live(store))
        assert places == ["fluxstate-sim / default"]
        running.cancel()
        await asyncio.wait([running])
