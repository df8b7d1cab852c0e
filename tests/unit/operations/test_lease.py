"""One operator at a time, and the second one is told who the first is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.errors import ExitCode
from fluxstate_tui.kube.objects import LEASES
from fluxstate_tui.operations.base import Consent, ConsentKind, OperationKind, Plan
from fluxstate_tui.operations.journal import Journal
from fluxstate_tui.operations.lease import (
    LOCK,
    RENEW_EVERY,
    ClusterLease,
    LockedError,
    LockLostError,
    holder_of,
)
from fluxstate_tui.sim.api.auth import Rule, User
from fluxstate_tui.sim.server import SimulatedCluster
from tests.unit.operations.builders import REF
from tests.unit.operations.conftest import opened


async def test_a_second_operator_is_locked_out_and_told_who_works(
    sim: SimulatedCluster, context: OperationContext, tmp_path: Path
) -> None:
    first = ClusterLease(context, REF, "save")
    await first.acquire()
    async with opened(sim, tmp_path, "bob@two") as other:
        second = ClusterLease(other, REF, "delete")
        with pytest.raises(LockedError, match=r"alice@one.*save"):
            await second.acquire()
        await second.release()  # gives back nothing that it does not have
        await first.release()
        await second.acquire()
        assert second.held
        await second.release()


async def test_a_dead_operators_lease_is_taken_over_only_after_it_expired(
    sim: SimulatedCluster, context: OperationContext, tmp_path: Path
) -> None:
    await ClusterLease(context, REF, "save").acquire()
    await sim.clock.sleep(120)  # the server's clock is known only within what an answer takes
    async with opened(sim, tmp_path, "bob@two") as other:
        second = ClusterLease(other, REF, "save")
        await second.acquire()
        assert second.held
        await second.release()


async def test_a_living_lease_is_renewed(
    sim: SimulatedCluster, context: OperationContext, tmp_path: Path
) -> None:
    lost: list[str] = []
    first = ClusterLease(context, REF, "save")
    await first.acquire()
    first.keep(lost.append)
    await sim.clock.sleep(60)
    async with opened(sim, tmp_path, "bob@two") as other:
        with pytest.raises(LockedError):
            await ClusterLease(other, REF, "save").acquire()
    await first.release()
    assert lost == []


async def test_a_stolen_lease_is_noticed(sim: SimulatedCluster, context: OperationContext) -> None:
    lost: list[str] = []
    first = ClusterLease(context, REF, "save")
    await first.acquire()
    first.keep(lost.append)
    name = f"fluxstate-{REF.name}"
    await context.cluster.delete(LEASES, name, REF.namespace)
    await ClusterLease(context, REF, "delete").acquire()
    await sim.clock.sleep(25)
    assert len(lost) == 1
    await first.release()
    assert await context.cluster.get(LEASES, name, REF.namespace)


async def test_who_lost_it_may_not_go_on(
    sim: SimulatedCluster, context: OperationContext, tmp_path: Path
) -> None:
    first = ClusterLease(context, REF, "save")
    await first.acquire()
    await first.require()
    await context.cluster.delete(LEASES, f"fluxstate-{REF.name}", REF.namespace)
    async with opened(sim, tmp_path, "bob@two") as other:
        second = ClusterLease(other, REF, "delete")
        await second.acquire()
        with pytest.raises(LockLostError, match="bob@two") as lost:
            await first.require()
        assert lost.value.exit_code is ExitCode.LOCKED
        assert await first.lost()
        await first.release()  # it is not theirs to give back
        assert second.held
        await second.require()
        await second.release()


async def test_a_cluster_that_does_not_answer_takes_no_lock_away(
    sim: SimulatedCluster, context: OperationContext
) -> None:
    first = ClusterLease(context, REF, "save")
    await first.acquire()
    sim.faults.add("drop", path="leases", count=-1)
    await first.require()
    sim.faults.clear()
    await first.release()


async def test_a_user_without_the_right_to_leases_is_told_and_goes_on(
    sim: SimulatedCluster, tmp_path: Path
) -> None:
    token = sim.add_user(User("carol", (), (Rule(("get", "list"), ("pods",)),)))
    async with opened(sim, tmp_path, "carol@three", token) as context:
        lease = ClusterLease(context, REF, "pause")
        await lease.acquire()
        assert not lease.held
        assert "no lock" in lease.note
        await lease.release()


@pytest.mark.parametrize("answer", ["comes", "lost"])
async def test_a_cancel_while_it_is_taken_leaves_no_lock(
    sim: SimulatedCluster, context: OperationContext, answer: str
) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def gate(method: str, path: str) -> None:
        if method == "POST":
            asked.set()
            await go_on.wait()

    sim.faults.gate = gate
    if answer == "lost":
        sim.faults.add("lost-answer", method="POST", path="/leases")
    taking = asyncio.create_task(ClusterLease(context, REF, "save").acquire())
    await asked.wait()
    taking.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert await context.cluster.list(LEASES, REF.namespace) == []


async def test_a_lock_that_a_cancel_may_have_left_is_told(
    sim: SimulatedCluster, context: OperationContext
) -> None:
    asked = asyncio.Event()

    async def gate(method: str, path: str) -> None:
        if method == "POST":
            sim.faults.add("drop", path="/leases", count=-1)
            asked.set()

    sim.faults.gate = gate
    lease = ClusterLease(context, REF, "save")
    taking = asyncio.create_task(lease.acquire())
    await asked.wait()
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert "expires after 30 s" in lease.left


async def test_the_lock_of_a_dead_program_of_this_computer_is_not_waited_for(
    sim: SimulatedCluster, context: OperationContext
) -> None:
    dead = ClusterLease(context, REF, "save")
    plan = Plan(OperationKind.SAVE, REF, (), (), Consent(ConsentKind.NONE, ""))
    journal = Journal.begin(context.state_dir, plan, who="me", server="s", now=0.0)
    journal.remember(LOCK, dead.identity)
    await dead.acquire()
    with pytest.raises(LockedError):
        await ClusterLease(context, REF, "delete").acquire()
    assert await holder_of(context, REF) is not None, "its process lives: it has the journal open"

    journal.close()  # as the kernel does with a process that is killed
    assert await holder_of(context, REF) is None
    before = sim.clock.now()
    after = ClusterLease(context, REF, "delete")
    await after.acquire()
    assert after.held
    assert sim.clock.now() - before < RENEW_EVERY
    assert await dead.lost() != "", "should it live after all, it goes on no more"
