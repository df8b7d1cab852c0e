"""A save with one request broken, at every point: no good archive changes, the queue goes on."""

from __future__ import annotations

import os

import pytest

from fluxstate_tui.operations.plan import OutcomeKind
from tests.faults.stage import Stage, broken_at

POINTS = 80
# All points of all faults take minutes; FLUXSTATE_ALL_FAULTS=1 tries them. Else each fault is
# tried at every ninth point, a different one for each fault.
STRIDE = 1 if os.environ.get("FLUXSTATE_ALL_FAULTS") else 9

FAULTS: list[dict[str, object]] = [
    {"kind": "drop"},
    {"kind": "lost-answer"},
    {"kind": "status", "code": 500},
    {"kind": "exec-cut"},
    {"kind": "exec-no-status"},
]


@pytest.mark.parametrize("number", range(len(FAULTS)), ids=lambda n: str(FAULTS[n]["kind"]))
async def test_a_save_outlives_a_broken_request_at_any_point(stage: Stage, number: int) -> None:
    jobs = {await stage.submit("true"), await stage.submit("sleep", "1")}
    await stage.well("save")
    good = stage.finished()
    tried = completed = 0
    for skip in range(number % STRIDE, POINTS, STRIDE):
        outcome, reached = await broken_at(stage, "save", FAULTS[number], skip)
        tried += 1
        after = stage.finished()
        assert good.items() <= after.items(), "an archive was changed or removed"
        assert all(jobs <= ids for ids in stage.archived())
        assert await stage.started(), (skip, outcome)
        assert stage.unfinished() == [], (skip, outcome)
        if outcome is not None and outcome.kind is OutcomeKind.COMPLETED:
            completed += 1
            assert len(after) == len(good) + 2, (skip, outcome)
        stage.forget_archives(keep=good)
        if not reached:
            break
    else:
        raise AssertionError("there are more points than were tried")
    assert jobs <= (await stage.jobs()).keys()
    assert completed >= tried - 2, f"only {completed} of {tried} saves outlived a broken request"
