"""Each of several queues is put back as it was when a save does not come to its end."""

from __future__ import annotations

from pathlib import Path

from fluxstate_tui.operations.base import OperationKind, OutcomeKind, StepEvent
from fluxstate_tui.operations.registry import prepare
from tests.faults.stage import staged
from tests.faults.test_named_queues import BROKER_CONFIG


async def test_a_save_that_is_cancelled_starts_those_that_it_stopped_and_no_other(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path) as stage:
        await stage.create(flux={"brokerConfig": BROKER_CONFIG})
        await stage.flux("queue", "start", "batch")
        await stage.flux("queue", "stop", "-m", "maintenance", "debug")
        await stage.submit("--queue=batch", "sleep", "100000")
        operation = await prepare(OperationKind.SAVE, stage.context, await stage.ref())

        def stop(event: StepEvent) -> None:
            if event.step == "wait" and "1 running" in event.read_back:
                operation.cancel()

        outcome = await operation.run(stop)
        assert outcome.kind is OutcomeKind.CANCELLED, outcome
        status = await stage.flux("queue", "status")
        assert "batch: Scheduling is started" in status
        assert "debug: Scheduling is stopped: maintenance" in status
        assert stage.unfinished() == []
