"""The second operator sees who works, on what and since when, and may break the lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.journal import audit
from fluxstate_tui.operations.lock.holder import break_lock, holder_of
from fluxstate_tui.operations.lock.lease import RENEW_EVERY, ClusterLease
from fluxstate_tui.sim.server import SimulatedCluster
from tests.unit.operations.builders import REF
from tests.unit.operations.conftest import opened


async def test_it_is_seen_who_works_on_what_and_since_when(
    sim: SimulatedCluster, context: OperationContext, tmp_path: Path
) -> None:
    begin = sim.clock.now()
    first = ClusterLease(context, REF, "save")
    await first.acquire()
    first.keep(lambda text: None)
    async with opened(sim, tmp_path, "bob@two") as other:
        seen = await holder_of(other, REF)
        assert seen is not None
        assert (seen.who, seen.what) == ("alice@one", "save")
        await sim.clock.sleep(2 * RENEW_EVERY)
        now = await holder_of(other, REF)
        assert now is not None
        assert now.since == seen.since  # renewing it does not make it younger
        assert begin <= now.since < now.renewed
        await first.release()
        assert await holder_of(other, REF) is None


async def test_a_broken_lock_is_free_and_its_holder_is_told(
    sim: SimulatedCluster, context: OperationContext, tmp_path: Path
) -> None:
    lost: list[str] = []
    first = ClusterLease(context, REF, "save")
    await first.acquire()
    first.keep(lost.append)
    async with opened(sim, tmp_path, "bob@two") as other:
        seen = await holder_of(other, REF)
        assert seen is not None
        await break_lock(other, REF, seen)
        (entry,) = audit.read(other.state_dir).entries
        assert (entry.who, entry.what) == ("bob@two", "break lock")
        assert "alice@one" in entry.reason
        second = ClusterLease(other, REF, "delete")
        await second.acquire()
        await sim.clock.sleep(2 * RENEW_EVERY)
        assert "bob@two" in lost[0]
        with pytest.raises(FluxstateError, match="changed hands") as refused:
            await break_lock(other, REF, seen)  # it is not the one that was agreed to
        assert refused.value.exit_code is ExitCode.LOCKED
        assert second.held
        await second.release()
        await break_lock(other, REF, seen)  # nobody has it: nothing to break


async def test_a_dead_operators_lock_is_no_obstacle(
    sim: SimulatedCluster, context: OperationContext
) -> None:
    await ClusterLease(context, REF, "save").acquire()
    await sim.clock.sleep(3 * RENEW_EVERY + 1)
    assert await holder_of(context, REF) is None
