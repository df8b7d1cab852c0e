"""A volume that is full when only the manifest is missing: it is said what there is."""

from __future__ import annotations

from fluxstate_tui.operations.base import OperationKind, OutcomeKind
from fluxstate_tui.operations.registry import prepare
from tests.faults.at_step import when_done
from tests.faults.stage import Stage


async def test_an_archive_without_a_manifest_is_whole_and_can_be_adopted(stage: Stage) -> None:
    await stage.submit("true")
    volume = stage.sim.state.volumes.host_path("/data")

    async def fill(step: str) -> None:
        if step == "enter":
            volume.capacity = volume.used

    outcome = await when_done(
        await prepare(OperationKind.SAVE, stage.context, await stage.ref()), fill
    )
    volume.capacity = None
    assert outcome.kind is OutcomeKind.FAILED, outcome
    assert "No space left on device" in outcome.reason
    assert await stage.started()
    (name,) = stage.files()
    assert f"archives adopt flux-sample /state/fluxstate/{name} -n default" in outcome.advice
    assert f"complete and was verified: /state/fluxstate/{name}" in outcome.safe
