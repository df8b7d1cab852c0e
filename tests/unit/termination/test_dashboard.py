"""The dashboard is asked to end: what it did is put back, and the terminal is given back."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fluxstate_tui.errors import ExitCode
from fluxstate_tui.kube.objects import LEASES
from fluxstate_tui.operations import audit
from fluxstate_tui.termination import BURST_SECONDS
from tests.faults.stage import NAME, NAMESPACE, Stage, staged
from tests.unit.archive import given
from tests.unit.termination.terminal import Terminal, terminal

WAITING = "nobody knows how long"
ASKS = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path, speed=20) as found:
        await found.create()
        yield found


async def saving(shown: Terminal, stage: Stage) -> None:
    """The dashboard's user saves, and it waits for a job that runs for ever."""
    await stage.submit("sleep", "1000000")
    await shown.see(NAME, "0    1     0")
    shown.press("s")
    await shown.see(WAITING)
    shown.press("\r")
    await shown.until(lambda: stopped(stage), "the queue is stopped")
    await shown.see("flux queue idle")


async def never(_method: str, path: str) -> None:
    """No broker answers any more."""
    if "exec" in path:
        await asyncio.Event().wait()


def stopped(stage: Stage) -> bool:
    instance = stage.sim.state.instance(NAMESPACE, NAME)
    return instance is not None and instance.control.queue_status(None)["start"] is False


async def is_put_back(stage: Stage) -> None:
    """As it was before: the queue runs, nothing is locked, nothing is left to be looked at."""
    assert await stage.started()
    assert await stage.context.cluster.list(LEASES, NAMESPACE) == []
    assert stage.unfinished() == []
    assert [entry.outcome for entry in audit.read(stage.context.state_dir).entries] == ["Cancelled"]
    assert stage.archived() == []


@pytest.mark.parametrize("number", ASKS)
async def test_a_save_that_waits_is_put_back_and_the_terminal_given_back(
    stage: Stage, tmp_path: Path, number: signal.Signals
) -> None:
    async with terminal(tmp_path) as shown:
        await saving(shown, stage)
        shown.signal(number)
        assert await shown.ended() == ExitCode.INTERRUPTED
        assert shown.whole, shown.modes_left_on
        # Its last step may not be on the screen yet when the queue is seen to be stopped.
        assert "save flux-sample: Cancelled: cancelled at: " in shown.text
    await is_put_back(stage)


@pytest.mark.parametrize("leads", [True, False], ids=["with a SIGHUP", "without any signal"])
async def test_a_save_is_put_back_when_the_terminal_has_gone(
    stage: Stage, tmp_path: Path, leads: bool
) -> None:
    async with terminal(tmp_path, leads=leads) as shown:
        await saving(shown, stage)
        shown.close()
        assert await shown.ended() == ExitCode.INTERRUPTED
    await is_put_back(stage)


async def test_the_screen_is_the_terminals_wherever_standard_error_goes(tmp_path: Path) -> None:
    kept = tmp_path / "errors"
    with kept.open("wb") as errors:
        words = ("open", str(given.path("mixed")))
        async with terminal(tmp_path, *words, stderr=errors.fileno()) as shown:
            await shown.see("complete (L2)", "COMPLETED")
            shown.press("q")
            assert await shown.ended() == ExitCode.OK
            assert shown.whole, shown.modes_left_on
    assert kept.read_bytes() == b""


async def test_several_signals_at_once_are_one_request(stage: Stage, tmp_path: Path) -> None:
    async with terminal(tmp_path, leads=True) as shown:
        await saving(shown, stage)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):
            shown.signal(number)
        shown.close()
        assert await shown.ended() == ExitCode.INTERRUPTED
    await is_put_back(stage)


async def test_a_terminal_that_takes_nothing_does_not_hold_it_up(
    stage: Stage, tmp_path: Path
) -> None:
    async with terminal(tmp_path) as shown:
        await saving(shown, stage)
        asyncio.get_running_loop().remove_reader(shown.ours)
        for _ in range(60):  # more frames than fit into the pty
            shown.press("?")
            await asyncio.sleep(0.02)
            shown.press("\x1b")
            await asyncio.sleep(0.02)
        shown.signal(signal.SIGTERM)
        assert await shown.ended() == ExitCode.INTERRUPTED
    await is_put_back(stage)


async def test_what_cannot_be_put_back_in_time_is_left_to_the_journal_when_asked_twice(
    stage: Stage, tmp_path: Path
) -> None:
    async with terminal(tmp_path) as shown:
        await saving(shown, stage)
        stage.sim.faults.gate = never
        shown.signal(signal.SIGTERM)
        await shown.see("It was asked to end")
        await asyncio.sleep(BURST_SECONDS)
        shown.signal(signal.SIGTERM)
        assert await shown.ended() == ExitCode.INTERRUPTED
        assert shown.whole
        assert "NOT put back" in shown.text
    assert stage.unfinished() == ["save"]


@pytest.mark.parametrize("number", ASKS)
async def test_an_idle_one_ends_at_once(
    stage: Stage, tmp_path: Path, number: signal.Signals
) -> None:
    async with terminal(tmp_path) as shown:
        await shown.see(NAME, "started")
        shown.signal(number)
        assert await shown.ended() == ExitCode.INTERRUPTED
        assert shown.whole, shown.modes_left_on
        assert "Traceback" not in shown.text


async def test_an_idle_one_ends_with_its_terminal(stage: Stage, tmp_path: Path) -> None:
    async with terminal(tmp_path) as shown:
        await shown.see(NAME, "started")
        shown.close()
        assert await shown.ended() == ExitCode.INTERRUPTED


async def test_who_ignores_hangups_keeps_what_runs(stage: Stage, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        async with terminal(tmp_path) as shown:
            await shown.see(NAME, "started")
            shown.signal(signal.SIGHUP)
            shown.press("?")
            await shown.see("KEYS")
            shown.press("\x1b")
            shown.signal(signal.SIGTERM)
            assert await shown.ended() == ExitCode.INTERRUPTED
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("by_key", [True, False], ids=["ctrl-z", "SIGTSTP"])
async def test_it_is_suspended_and_comes_back_whole(
    stage: Stage, tmp_path: Path, by_key: bool
) -> None:
    async with terminal(tmp_path) as shown:
        await shown.see(NAME, "live")
        if by_key:
            shown.press("\x1a")
        else:
            shown.signal(signal.SIGTSTP)
        status = Path(f"/proc/{shown.process.pid}/stat")
        await shown.until(lambda: status.read_text().rpartition(")")[2].split()[0] == "T", "stops")
        await shown.until(lambda: shown.whole, "the terminal is given back")
        shown.written.clear()
        shown.signal(signal.SIGCONT)
        await shown.see("fluxstate", "STATE", NAME, "help")
        shown.press("q")
        assert await shown.ended() == 0
        assert shown.whole
