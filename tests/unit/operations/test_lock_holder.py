"""The second operator sees who works, on what and since when, and may break the lock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.clock import Clock
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.operations import audit
from fluxstate_tui.operations.lease import RENEW_EVERY, ClusterLease, break_lock, holder_of
from fluxstate_tui.sim.server import SimulatedCluster
from tests.unit.operations.builders import REF
from tests.unit.operations.conftest import opened

COARSE = 60.0  # simulated seconds: what one answer tells of the server's clock, and a busy computer


@dataclass
class OtherClock:
    """Of a computer whose clock is wrong by an hour."""

    right: Clock
    wrong: float

    def now(self) -> float:
        return self.right.now() + self.wrong

    async def sleep(self, seconds: float) -> None:
        await self.right.sleep(seconds)


@pytest.fixture
async def calm() -> AsyncIterator[SimulatedCluster]:
    """A second on a busy computer must not be the whole life of a lock."""
    async with SimulatedCluster(speed=10.0) as cluster:
        yield cluster


async def test_it_is_seen_who_works_on_what_and_since_when(
    calm: SimulatedCluster, tmp_path: Path
) -> None:
    begin = calm.clock.now()
    async with opened(calm, tmp_path, "alice@one") as one, opened(calm, tmp_path, "bob@two") as two:
        first = ClusterLease(one, REF, "save")
        await first.acquire()
        first.keep(lambda text: None)
        seen = await holder_of(two, REF)
        assert seen is not None
        assert (seen.who, seen.what) == ("alice@one", "save")
        now = seen
        async with asyncio.timeout(30):
            while now.renewed == seen.renewed:
                await calm.clock.sleep(1.0)
                now = await holder_of(two, REF) or now
        assert now.since == seen.since  # renewing it does not make it younger
        assert abs(now.since - begin) < COARSE
        assert now.since < now.renewed
        await first.release()
        assert await holder_of(two, REF) is None


@pytest.mark.parametrize("wrong", [-3600.0, 3600.0], ids=["slow", "fast"])
async def test_a_lock_has_the_same_age_for_all_whatever_their_computers_clocks_say(
    calm: SimulatedCluster, tmp_path: Path, wrong: float
) -> None:
    clock = OtherClock(calm.clock, wrong)
    options = KubeOptions(kubeconfig=str(calm.write_kubeconfig(tmp_path / "config")))
    async with opened(calm, tmp_path, "bob@two") as two, await Cluster.open(options, clock) as far:
        lease = ClusterLease(OperationContext(far, clock, tmp_path, "alice@one"), REF, "save")
        await lease.acquire()
        seen = await holder_of(two, REF)
        assert seen is not None  # neither expired nor from the future
        assert abs(two.server_now - seen.since) < COARSE
        assert abs(two.server_now - seen.renewed) < COARSE


async def test_a_broken_lock_is_free_and_its_holder_is_told(
    calm: SimulatedCluster, tmp_path: Path
) -> None:
    lost: asyncio.Queue[str] = asyncio.Queue()
    async with opened(calm, tmp_path, "alice@one") as one, opened(calm, tmp_path, "bob@two") as two:
        first = ClusterLease(one, REF, "save")
        await first.acquire()
        first.keep(lost.put_nowait)
        seen = await holder_of(two, REF)
        assert seen is not None
        await break_lock(two, REF, seen)
        (entry,) = audit.read(two.state_dir).entries
        assert (entry.who, entry.what) == ("bob@two", "break lock")
        assert "alice@one" in entry.reason
        second = ClusterLease(two, REF, "delete")
        await second.acquire()
        second.keep(lambda text: None)
        assert "bob@two" in await asyncio.wait_for(lost.get(), 30)
        with pytest.raises(FluxstateError, match="changed hands") as refused:
            await break_lock(two, REF, seen)  # it is not the one that was agreed to
        assert refused.value.exit_code is ExitCode.LOCKED
        assert second.held
        await second.release()
        await break_lock(two, REF, seen)  # nobody has it: nothing to break
        await first.release()


async def test_a_dead_operators_lock_is_no_obstacle(
    sim: SimulatedCluster, context: OperationContext
) -> None:
    await ClusterLease(context, REF, "save").acquire()
    await sim.clock.sleep(3 * RENEW_EVERY + 1)
    assert await holder_of(context, REF) is None
