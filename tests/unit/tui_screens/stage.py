"""An app on a made-up world, and what is on its screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from fluxstate_tui.clock import Clock
from fluxstate_tui.live.events import StoreEvent
from fluxstate_tui.live.store import Store
from fluxstate_tui.minicluster.phase import derive
from fluxstate_tui.tui.app import FluxstateApp
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.rehearsal import RehearsedActions

SMALL = (80, 24)
LARGE = (160, 48)
SIZES = (SMALL, LARGE)


class StillClock(Clock):
    """Time stands still until a test moves it."""

    def __init__(self, now: float = feed.NOW) -> None:
        self.time = now

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Time passes without waiting."""
        self.time += seconds
        await asyncio.sleep(0)


def make_app(
    events: list[StoreEvent] | None = None, actions: RehearsedActions | None = None, **options: Any
) -> FluxstateApp:
    """An app on the made-up world."""
    store = Store(derive)
    for event in feed.world() if events is None else events:
        store.take(event)
    store.take_changes()
    app = FluxstateApp(
        store,
        actions or RehearsedActions(),
        clock=StillClock(),
        place="kind-dev · default",
        **options,
    )
    app.animation_level = "none"
    return app


def screen_text(app: App[Any]) -> str:
    """What is on the screen, line by line."""
    width, height = app.size
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text[:width] for strip in strips[:height])


async def until(pilot: Pilot[Any], condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for a condition without a key press; fail with what is on the screen."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not condition():
        if loop.time() > deadline:
            raise AssertionError(screen_text(pilot.app))
        await pilot.pause(0.01)


async def see(pilot: Pilot[Any], text: str) -> None:
    """Wait until that text is on the screen."""
    await until(pilot, lambda: text in screen_text(pilot.app))
