"""Two operators whose computers' clocks differ: archives are dated by the cluster's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from fluxstate_tui.broker.objects import read_minicluster
from fluxstate_tui.catalog.access import Reach, view_catalog
from fluxstate_tui.catalog.folder import LocalFolder
from fluxstate_tui.cli.catalog_place import Place
from fluxstate_tui.clock import Clock
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.live.summary import made_at
from tests.faults.stage import NAME, Stage

HOUR = 3600.0
COARSE = 60.0  # simulated seconds: more than what the simulation does in one of the real ones


@dataclass
class SlowClock:
    """An hour behind."""

    right: Clock

    def now(self) -> float:
        return self.right.now() - HOUR

    async def sleep(self, seconds: float) -> None:
        await self.right.sleep(seconds)


async def test_what_is_saved_last_is_the_newest_whatever_the_operators_clock_says(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.well("save")
    right = stage.context
    clock = SlowClock(stage.sim.clock)
    options = KubeOptions(kubeconfig=str(tmp_path / "kubeconfig"))
    async with await Cluster.open(options, clock) as cluster:
        stage.context = replace(right, cluster=cluster, clock=clock)
        await stage.well("save")
        there = await read_minicluster(stage.context, await stage.ref())
        view = await view_catalog(stage.context, there, NAME, Reach(start_helper_pod=True))
        ages = [stage.context.server_now - made_at(entry) for entry in view.entries]
        place = Place(LocalFolder(), "", "", there.ref, (), tmp_path, clock, context=stage.context)
        assert abs(place.now - right.server_now) < COARSE
    newest, first = (made_at(entry) for entry in view.entries)
    assert 0 < newest - first < COARSE
    assert all(abs(made_at(entry) - entry.modified) < COARSE for entry in view.entries)
    assert [abs(age) < 2 * COARSE for age in ages] == [True, True]
    assert view.entries[0].id > view.entries[1].id
