"""Whatever keys are pressed, in whatever order: nothing is lost unless a question is answered."""

from __future__ import annotations

import os
import random

from tests.unit.tui_screens.rehearsal import RehearsedActions
from tests.unit.tui_screens.stage import SMALL, make_app, see

# Another number, other keys.
SEED = os.environ.get("FLUXSTATE_FAULT_SEED", "1")
# Not `q`, and not the palette that has "Quit": they end the trial.
ACTIONS = [*"psdmrDncahbi", "enter", "asterisk"]
# Every question has its focus on the answer that does nothing, which these do not leave.
ANSWERS = ["enter", "enter", "enter", "escape", "space", "backspace", *"aoxyz123"]


async def test_nothing_begins_that_has_a_question_unless_it_is_answered() -> None:
    chance = random.Random(SEED)
    actions = RehearsedActions()
    app = make_app(actions=actions)
    began = set()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "d", "enter")
        await see(pilot, "Type flux-sample to go ahead.")
        for _ in range(10):
            await pilot.press(chance.choice(ACTIONS), *chance.choices(ANSWERS, k=3))
            began |= {run.plan.operation for run in app.services.runs.values()}
            if chance.random() < 0.5:
                await pilot.press("escape", "escape")
    assert began <= {"pause", "resume"}  # these ask nothing, as they can be taken back
    assert {request.verb for request in actions.requests} <= {"hold", "release"}
