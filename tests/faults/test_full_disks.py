"""A volume that fills up during a save: what was there stays, and nothing half-made."""

from __future__ import annotations

import pytest

from fluxstate_tui.operations.plan import OutcomeKind
from fluxstate_tui.operations.prepare import prepare
from tests.faults.at_step import when_done
from tests.faults.stage import Stage


@pytest.mark.parametrize("step", ["commit", "enter"])
async def test_nothing_half_made_stays_and_it_is_said_what_there_is(
    stage: Stage, step: str
) -> None:
    await stage.submit("true")
    volume = stage.sim.state.volumes.host_path("/data")
    good = stage.files()

    async def fill(done: str) -> None:
        if done == step:
            volume.capacity = volume.used

    outcome = await when_done(await prepare("save", stage.context, await stage.ref()), fill)
    volume.capacity = None
    assert outcome.kind is OutcomeKind.FAILED, outcome
    assert ("No space left on device" in outcome.reason) == (step == "enter")
    assert ("Write error (0 bytes are free on the volume)" in outcome.reason) == (step == "commit")
    assert await stage.started()
    if step == "commit":
        assert stage.files() == good
        return
    (name,) = stage.files()  # the archive is whole, and can be adopted
    assert f"archives adopt flux-sample /state/fluxstate/{name} -n default" in outcome.advice
    assert f"complete and was verified: /state/fluxstate/{name}" in outcome.safe
