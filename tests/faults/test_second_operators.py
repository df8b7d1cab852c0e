"""Two operators at once, in two programs: the second one waits, or breaks the lock by name."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fluxstate_tui.errors import ExitCode
from fluxstate_tui.operations.base import OperationKind, StepEvent
from fluxstate_tui.operations.registry import prepare
from tests.faults.stage import NAME, Stage
from tests.unit.cli_operate.conftest import Program


async def test_the_second_program_is_told_waits_or_breaks_the_lock_by_name(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.submit("sleep", "86400")
    first = await prepare(OperationKind.SAVE, stage.context, await stage.ref())
    waiting = asyncio.Event()

    def seen(event: StepEvent) -> None:
        if event.step == "wait":
            waiting.set()

    running = asyncio.create_task(first.run(seen))
    await waiting.wait()
    program = Program(stage, tmp_path)
    told = await program("pause", NAME)
    assert told.code == ExitCode.LOCKED
    assert "me@test" in told.err
    impatient = await program("pause", NAME, "--wait-for-lock", "0.1", "--break-lock", "you@test")
    assert impatient.code == ExitCode.LOCKED
    assert "waiting: me@test works on default/flux-sample: save" in impatient.err
    broke = await program("pause", NAME, "--break-lock", "me@test")
    assert broke.code == ExitCode.OK, broke
    # The first one notices it, and starts nothing under the hands of the second.
    await stage.flux("cancel", "--all")
    outcome = await running
    assert outcome.exit_code == ExitCode.LOCKED, outcome
    assert stage.finished() == {}
    assert not await stage.started()
    assert "NOT put back: the queue is started again" in outcome.reason
    assert stage.unfinished() == ["save"]  # so that nobody forgets it
