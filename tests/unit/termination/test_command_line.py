"""A command is asked to end: what it did is put back, whatever it was doing, and it says 130."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fluxstate_tui.errors import ExitCode
from fluxstate_tui.kube.objects import LEASES
from fluxstate_tui.operations import journal
from fluxstate_tui.operations.lease import ClusterLease
from tests.faults.stage import NAME, NAMESPACE, Stage, staged
from tests.unit.termination.terminal import Terminal, terminal
from tests.unit.termination.test_dashboard import ASKS, is_put_back, never, stopped


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path, speed=20) as found:
        await found.create()
        yield found


async def saving(shown: Terminal, stage: Stage) -> None:
    await shown.until(lambda: stopped(stage), "the queue is stopped")
    await shown.see("no time limit): ")


@pytest.mark.parametrize("number", ASKS)
async def test_a_save_that_waits_is_put_back(
    stage: Stage, tmp_path: Path, number: signal.Signals
) -> None:
    await stage.submit("sleep", "1000000")
    async with terminal(tmp_path, "save", NAME, "--yes") as shown:
        await saving(shown, stage)
        shown.signal(number)
        assert await shown.ended() == ExitCode.INTERRUPTED
        assert "Cancelled: cancelled at: Wait for running jobs" in shown.text
    await is_put_back(stage)


@pytest.mark.parametrize("leads", [True, False], ids=["with a SIGHUP", "with SIGTERM"])
async def test_a_save_is_put_back_when_the_terminal_has_gone(
    stage: Stage, tmp_path: Path, leads: bool
) -> None:
    await stage.submit("sleep", "1000000")
    async with terminal(tmp_path, "save", NAME, "--yes", leads=leads) as shown:
        await saving(shown, stage)
        shown.close()
        if not leads:
            shown.signal(signal.SIGTERM)
        assert await shown.ended() == ExitCode.INTERRUPTED
    await is_put_back(stage)


async def test_asked_twice_it_ends_though_no_broker_answers(stage: Stage, tmp_path: Path) -> None:
    await stage.submit("sleep", "1000000")
    async with terminal(tmp_path, "save", NAME, "--yes") as shown:
        await saving(shown, stage)
        stage.sim.faults.gate = never
        shown.signal(signal.SIGTERM)
        await asyncio.sleep(1.1)  # what comes sooner belongs to the first
        shown.signal(signal.SIGTERM)
        assert await shown.ended() == ExitCode.INTERRUPTED
        assert "NOT put back: " in shown.text
        assert "fluxstate-tui resume" in shown.text
    assert stage.unfinished() == ["save"]


@pytest.mark.parametrize("number", ASKS)
async def test_what_is_no_operation_ends_in_the_same_way(
    stage: Stage, tmp_path: Path, number: signal.Signals
) -> None:
    lease = ClusterLease(stage.context, await stage.ref(), "save")
    await lease.acquire()
    words = ("pause", NAME, "--wait-for-lock", "600")
    async with terminal(tmp_path, *words) as shown:
        await shown.see("note: waiting: ")
        shown.signal(number)
        assert await shown.ended() == ExitCode.INTERRUPTED
        assert "interrupted" in shown.text
        assert "Traceback" not in shown.text
    assert await stage.started()
    await lease.release()


@pytest.mark.parametrize("number", ASKS)
async def test_a_question_is_left(stage: Stage, tmp_path: Path, number: signal.Signals) -> None:
    async with terminal(tmp_path, "delete", NAME, "--save") as shown:
        await shown.see("[y/N]")
        shown.signal(number)
        assert await shown.ended() == ExitCode.INTERRUPTED
    assert await stage.started()
    assert await stage.context.cluster.list(LEASES, NAMESPACE) == []


async def test_a_restore_in_the_middle_is_put_back(stage: Stage, tmp_path: Path) -> None:
    await stage.submit("sleep", "1000000")
    await stage.flux("queue", "stop", "--all")
    await stage.flux("cancel", "--all")
    await stage.flux("queue", "idle")
    await stage.well("save")
    await stage.well("delete")
    asked = asyncio.Event()

    async def gate(method: str, path: str) -> None:
        if method == "POST" and path.endswith("/miniclusters"):
            asked.set()
            await asyncio.Event().wait()

    stage.sim.faults.gate = gate
    async with terminal(tmp_path, "restore", NAME, "--yes") as shown:
        await asked.wait()
        assert stage.armed()
        stage.sim.faults.gate = None
        shown.signal(signal.SIGTERM)
        code = await shown.ended()
    assert code == ExitCode.INTERRUPTED
    assert await stage.context.cluster.list(LEASES, NAMESPACE) == []
    assert not stage.armed() or stage.unfinished() == ["restore"]


async def test_a_delete_that_was_sent_is_followed_up_or_left_to_the_journal(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.well("save")
    sent, goes_on = asyncio.Event(), asyncio.Event()

    async def gate(method: str, path: str) -> None:
        if method == "DELETE" and "/miniclusters/" in path:
            sent.set()
            await goes_on.wait()

    stage.sim.faults.gate = gate
    async with terminal(tmp_path, "delete", NAME, "--yes") as shown:
        await sent.wait()
        shown.signal(signal.SIGTERM)
        goes_on.set()
        code = await shown.ended()
        assert code == ExitCode.OK
        assert "too late to stop" in shown.text
    resource = await stage.context.cluster.minicluster_resource()
    assert await stage.context.cluster.list(resource, NAMESPACE) == []
    assert journal.unfinished(stage.context.state_dir) == []
