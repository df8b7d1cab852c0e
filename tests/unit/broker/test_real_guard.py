"""The death of a lead container, on a real Flux: what the guard promises, and what is without it.

As the Flux Operator does it: a broker starts with `-Scontent.restore=ARCHIVE`, the archive is
disarmed, the broker is killed, and the container's next start finds only the state directory.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from fluxstate_tui.broker.broker import SessionCheckpoints
from fluxstate_tui.broker.rpc import CHECKPOINT_KEY, read_queues, start_queues, write_value
from fluxstate_tui.broker.session import FluxSession
from fluxstate_tui.clock import SystemClock
from fluxstate_tui.flux.queue import restores_stopped
from fluxstate_tui.live.guard import Guard, GuardState
from fluxstate_tui.operations.queue_control import PAUSED_REASON
from tests.unit.broker.real import RealFlux, instance, needs_flux

pytestmark = needs_flux


class Ledger:
    """Jobs that write their name each time they run: what ran twice is there twice."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ran"
        self._path.touch()

    def submit(self, flux: RealFlux, *names: str, wait: bool) -> None:
        for name in names:
            script = f"echo {name} >> {self._path}"
            event = "clean" if wait else "submit"
            flux.flux("submit", f"--wait-event={event}", "sh", "-c", script)

    @property
    def ran(self) -> list[str]:
        return sorted(self._path.read_text("utf-8").split())


def states(flux: RealFlux) -> list[str]:
    """The state of every job."""
    return sorted(flux.flux("jobs", "-a", "--no-header", "-o", "{status}").split())


async def guarded(flux: RealFlux) -> None:
    """Watched until the guard says that all there is would be found again."""
    told: asyncio.Queue[GuardState] = asyncio.Queue()
    async with FluxSession.open(flux.executor, flux.endpoint) as session:
        checkpoints = SessionCheckpoints(session)
        guard = Guard(SystemClock(), lambda: checkpoints, told.put_nowait, every=0.1)
        task = asyncio.create_task(guard.run())
        async with asyncio.timeout(60):
            while not (await told.get()).fresh:
                pass
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("guard", [True, False], ids=["guarded", "not guarded"])
async def test_a_killed_container_loses_nothing_and_runs_nothing_twice_if_it_was_guarded(
    tmp_path: Path, guard: bool
) -> None:
    ledger, archive = Ledger(tmp_path), tmp_path / "a.tar.gz"
    old, new = tmp_path / "old", tmp_path / "new"
    with instance(old, size=1) as flux:
        flux.flux("queue", "stop")
        ledger.submit(flux, "saved1", "saved2", wait=False)
        flux.flux("dump", "-q", str(archive))
    with instance(new, "", 1, f"-Scontent.restore={archive}") as flux:
        flux.flux("queue", "start")
        flux.flux("queue", "drain")
        ledger.submit(flux, "later", wait=True)
        flux.flux("queue", "stop")
        ledger.submit(flux, "waiting", wait=False)
        if guard:
            await guarded(flux)
        flux.kill()
    with instance(new, size=1) as flux:
        flux.flux("queue", "start")
        flux.flux("queue", "drain")
        if guard:
            assert ledger.ran == ["later", "saved1", "saved2", "waiting"]
            assert states(flux) == ["COMPLETED"] * 4
        else:  # what the guard is for
            assert ledger.ran == ["later", "saved1", "saved1", "saved2", "saved2"]
            assert states(flux) == ["COMPLETED"] * 2


async def test_an_archive_that_is_still_armed_runs_its_jobs_again(tmp_path: Path) -> None:
    ledger, archive = Ledger(tmp_path), tmp_path / "a.tar.gz"
    with instance(tmp_path / "old", size=1) as flux:
        flux.flux("queue", "stop")
        ledger.submit(flux, "saved", wait=False)
        flux.flux("dump", "-q", str(archive))
    for times in (1, 2):
        with instance(tmp_path / "new", "", 1, f"-Scontent.restore={archive}") as flux:
            flux.flux("queue", "start")
            flux.flux("queue", "drain")
            await guarded(flux)  # no checkpoint helps while it is armed
            assert ledger.ran == ["saved"] * times
            flux.kill()


@pytest.mark.parametrize("name", ["", "batch"])
async def test_a_restore_that_is_to_come_up_paused_does_so_and_runs_when_it_is_started(
    tmp_path: Path, name: str
) -> None:
    ledger, archive = Ledger(tmp_path), tmp_path / "a.tar.gz"
    config = f'[queues.{name}]\n[policy.jobspec.defaults.system]\nqueue = "{name}"' if name else ""
    paused = {"enable": True, "start": False, "stop_reason": PAUSED_REASON}
    paused |= {"name": name} if name else {}
    with instance(tmp_path / "old", config, size=1) as flux:
        flux.flux("queue", "stop", "--all")
        ledger.submit(flux, "saved", wait=False)
        async with FluxSession.open(flux.executor, flux.endpoint) as session:
            value = {"version": 1, "max_jobid": 0, "queue": [paused]}
            await write_value(session, CHECKPOINT_KEY, value)
        flux.flux("dump", "-q", str(archive))
    with instance(tmp_path / "new", config, 1, f"-Scontent.restore={archive}") as flux:
        async with FluxSession.open(flux.executor, flux.endpoint) as session:
            (queue,) = await read_queues(session)
            assert (queue.name, queue.started, queue.stop_reason) == (name, False, PAUSED_REASON)
            if restores_stopped(flux.flux("version"), [queue]):
                assert (ledger.ran, states(flux)) == ([], ["SCHED"])
            else:  # before 0.74 only a named queue does what it says of itself
                assert name == ""
            await start_queues(session, [], started=True)
        flux.flux("queue", "drain")
        assert ledger.ran == ["saved"]
