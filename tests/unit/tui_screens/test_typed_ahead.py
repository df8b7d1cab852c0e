"""What is typed ahead waits for its screen, or is refused visibly."""

from __future__ import annotations

import asyncio
from typing import Any

from textual import events

from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import Choices, OperationKind
from fluxstate_tui.tui.app import FluxstateApp
from fluxstate_tui.tui.screens.operation.screen import OperationScreen
from tests.unit.tui_screens.rehearsal import RehearsedActions
from tests.unit.tui_screens.stage import SMALL, make_app, screen_text, see, until


class SlowPlans(RehearsedActions):
    """No plan is made before the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.may_plan = asyncio.Event()

    async def prepare(self, kind: OperationKind, ref: ClusterRef, choices: Choices) -> Any:
        await self.may_plan.wait()
        return await super().prepare(kind, ref, choices)


def burst(app: FluxstateApp, *keys: str) -> None:
    """All at once, as from a terminal that was slow to send them."""
    for key in keys:
        name = "slash" if key == "/" else key
        app.post_message(events.Key(name, key if len(key) == 1 else None))


async def test_keys_of_a_burst_reach_the_dialog_that_the_first_one_opens() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press("home", "down")
        burst(app, "d", "down", "down", "enter")
        await until(pilot, lambda: isinstance(app.screen, OperationScreen))
        screen = app.screen
        assert isinstance(screen, OperationScreen)
        assert screen.choices == Choices()  # the third choice: without saving


async def test_letters_of_a_burst_are_written_in_order() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        burst(app, "/", *"lammps", "enter", "/", *"x")
        await see(pilot, "/ x ")  # what stood there was selected


async def test_an_answer_that_comes_before_the_question_is_refused_visibly() -> None:
    actions = SlowPlans()
    app = make_app(actions=actions)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press("home", "down")
        burst(app, "d", "enter", "right", "enter")
        await see(pilot, "Too early")
        actions.may_plan.set()
        await see(pilot, "Go ahead")
        burst(app, "enter")  # the end of the same burst: it does not mean Back
        await pilot.pause()
        assert isinstance(app.screen, OperationScreen)
        assert app.screen.run is not None
        assert not app.screen.run.started
        assert "Go ahead" in screen_text(app)


async def test_escape_leaves_a_plan_that_is_being_read() -> None:
    app = make_app(actions=SlowPlans())
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press("home", "down")
        burst(app, "d", "enter", "right", "escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
