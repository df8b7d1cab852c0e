"""The whole way on the dashboard, by key presses only, in a small and in a large terminal."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.pilot import Pilot

from fluxstate_tui.dashboard.run import build
from fluxstate_tui.kube.options import KubeOptions
from tests.e2e.target import Target
from tests.unit.screens.stage import screen_text

SMALL, LARGE = (80, 24), (160, 48)


class Walk:
    """A user at the keyboard: presses keys, and waits until something is on the screen."""

    def __init__(self, pilot: Pilot[Any], patience: float) -> None:
        self._pilot = pilot
        self._patience = patience

    @property
    def screen(self) -> str:
        """What is on the screen now."""
        return screen_text(self._pilot.app)

    async def see(self, *texts: str) -> None:
        """Wait, without a key press, until all of these are on the screen."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        while not all(text in self.screen for text in texts):
            assert loop.time() < deadline, f"never seen together: {texts}\n{self.screen}"
            await self._pilot.pause(0.02)

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        await self._pilot.press(*keys)

    async def type(self, text: str) -> None:
        """Type into the focused field."""
        await self._pilot.press(*("space" if letter == " " else letter for letter in text))

    async def outcome(self) -> None:
        """Scroll to the end of an operation and wait until it says Completed."""
        await self.see("Completed")
        await self.press("escape")


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])
async def test_watch_pause_save_delete_restore_by_keys(
    target: Target, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLUXSTATE_STATE_DIR", str(target.state_dir))
    await target.create(size=2)
    options = KubeOptions(kubeconfig=str(target.kubeconfig), namespace=target.namespace)
    app = build(options)
    app.animation_level = "none"
    async with app.run_test(size=size) as pilot:
        walk = Walk(pilot, target.patience)
        await walk.see(target.name, "● Up", "▶ started")

        await walk.press("enter")
        await walk.press("n")
        await walk.see("Submit to")
        await walk.type("whoami")
        await walk.press("enter")
        await walk.see("✓ COMPLETED")

        await walk.press("p")
        await walk.outcome()
        await walk.see("‖ Paused")
        await target.submit("echo", "later")
        await walk.see("1 pending")

        await walk.press("s")
        await walk.outcome()

        await walk.press("d")
        await walk.see("Save first, then delete")
        await walk.press("enter")
        await walk.see("Cancel", "Go ahead")
        await walk.press("tab", "enter")
        await walk.outcome()
        await walk.see("○ Deleted")

        await walk.press("r")
        await walk.see("as history")
        await walk.press("plus", "enter")
        await walk.see("Cancel", "Go ahead")
        await walk.press("tab", "enter")
        await walk.outcome()
        await walk.see("● Up", "All 3 brokers run")
    jobs = await target.jobs()
    await target.until_done(*jobs)
    assert {job["result"] for job in (await target.jobs()).values()} == {"COMPLETED"}
    assert len(jobs) == 2
