"""An API server to run operations against: the simulated cluster's, with a virtual clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.sim.server import SimulatedCluster

SPEED = 50.0


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedCluster]:
    async with SimulatedCluster(speed=SPEED) as cluster:
        yield cluster


@pytest.fixture
async def context(sim: SimulatedCluster, tmp_path: Path) -> AsyncIterator[OperationContext]:
    async with opened(sim, tmp_path, "alice@one") as found:
        yield found


def opened(sim: SimulatedCluster, folder: Path, who: str, token: str | None = None) -> _Opened:
    """A context of one operator; several may be open at once."""
    return _Opened(sim, folder, who, token)


class _Opened:
    def __init__(self, sim: SimulatedCluster, folder: Path, who: str, token: str | None) -> None:
        self._sim, self._folder, self._who, self._token = sim, folder, who, token

    async def __aenter__(self) -> OperationContext:
        path = self._sim.write_kubeconfig(self._folder / f"kubeconfig-{self._who}", self._token)
        self._cluster = await Cluster.open(KubeOptions(kubeconfig=str(path)), self._sim.clock)
        state = self._folder / f"state-{self._who}"
        return OperationContext(self._cluster, self._sim.clock, state, self._who)

    async def __aexit__(self, *_: object) -> None:
        await self._cluster.close()
