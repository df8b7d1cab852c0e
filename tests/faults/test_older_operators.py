"""The whole way on older operators: other sockets, sudo, volumes that die with the MiniCluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from fluxstate_tui.operations.base import Choices, ConsentKind, OperationKind, OutcomeKind
from fluxstate_tui.operations.registry import prepare
from fluxstate_tui.sim.operator.flavour import FLAVOURS
from tests.faults.stage import NAME, staged


@pytest.mark.parametrize("flavour", sorted(FLAVOURS))
async def test_every_job_survives_with_any_operator(tmp_path: Path, flavour: str) -> None:
    async with staged(tmp_path, flavour=flavour) as stage:
        await stage.create()
        job = await stage.submit("true")
        choices = Choices(save_first=True)
        operation = await prepare(OperationKind.DELETE, stage.context, await stage.ref(), choices)
        if not FLAVOURS[flavour].has_view:
            # The operator's own volumes go with the MiniCluster: a yes is not enough.
            assert operation.plan.consent.kind is ConsentKind.TYPE_NAME
            assert any("DANGER: the volume" in line for line in operation.plan.preview)
        outcome = await operation.run(stage.seen.append, NAME)
        assert outcome.kind is OutcomeKind.COMPLETED, outcome
        restored = await stage.do("restore")
        assert restored.kind is OutcomeKind.COMPLETED, restored
        assert job in await stage.jobs()
