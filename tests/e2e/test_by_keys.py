"""The whole way on the dashboard, by key presses only, in a small and in a large terminal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot

from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.tui.run import build
from tests.e2e.target import Target
from tests.unit.tui_screens.stage import screen_text

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
        await self.until(lambda: all(text in self.screen for text in texts), f"{texts}")

    async def until(self, condition: Callable[[], bool], what: str = "") -> None:
        """Wait, without a key press, until that is so."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        while not condition():
            assert loop.time() < deadline, f"never seen together: {what}\n{self.screen}"
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


@asynccontextmanager
async def dashboard(
    target: Target, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Walk]:
    """The program itself on that cluster, in a terminal of that size."""
    monkeypatch.setenv("FLUXSTATE_STATE_DIR", str(target.state_dir))
    app = build(KubeOptions(kubeconfig=str(target.kubeconfig), namespace=target.namespace))
    app.animation_level = "none"
    async with app.run_test(size=size) as pilot:
        yield Walk(pilot, target.patience)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])
async def test_watch_pause_save_delete_restore_by_keys(
    target: Target, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    await target.create(size=2)
    async with dashboard(target, size, monkeypatch) as walk:
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
        await walk.see("Save it now")
        await walk.press("enter")
        await walk.outcome()

        await walk.press("d")
        await walk.see("Save first, then delete")
        await walk.press("enter")
        await walk.see("Back", "Go ahead")
        await walk.press("tab", "enter")
        await walk.outcome()
        await walk.see("○ Deleted")

        await walk.press("r")
        await walk.see("Nothing that runs has the volume")
        await walk.press("enter")
        await walk.see("as history")
        await walk.press("plus", "enter")
        await walk.see("Back", "Go ahead")
        await walk.press("tab", "enter")
        await walk.outcome()
        await walk.see("● Up", "All 3 brokers run")
    jobs = await target.jobs()
    await target.until_done(*jobs)
    assert {job["result"] for job in (await target.jobs()).values()} == {"COMPLETED"}
    assert len(jobs) == 2


async def test_migrate_by_keys_with_both_sides_on_the_screen(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    await target.create(size=1)
    done = await target.submit("whoami", count=2)
    await target.until_done(*done)
    other = target.another("bigger")
    try:
        async with dashboard(target, SMALL, monkeypatch) as walk:
            await walk.see(target.name, "● Up", "▶ started")
            await walk.press("m")
            await walk.see("Say what shall change.")
            await walk.press("plus", "tab")
            await walk.type(other.name)
            await walk.press("enter")
            await walk.see("○ not there yet", "Go ahead", "Nothing is lost.")
            await walk.press("right", "enter")
            await walk.see("2 of 2 arrived", "Account  ✓ 2 saved: 2 same")
            await walk.see("○ Deleted", "● Up")
            await walk.outcome()
            await walk.see(other.name, "2/2")
        assert (await other.jobs()).keys() == set(done)
    finally:
        await other.remove()


async def test_save_all_marked_by_keys(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    other = target.another("second")
    await target.create(size=1)
    await other.create(size=1)
    try:
        before = {one.name: await one.archives() for one in (target, other)}
        async with dashboard(target, SMALL, monkeypatch) as walk:
            await walk.see(target.name, other.name)
            await walk.press("slash")
            await walk.type(f"name:{target.name}")
            await walk.press("enter", "asterisk")
            await walk.see("2 marked", "● Up")
            await walk.until(lambda: walk.screen.count("▶ started") == 2)
            await walk.press("s")
            await walk.see("Save 2 MiniClusters?")
            await walk.press("right", "enter")
            await walk.see("✓ 2 Completed")
        for one in (target, other):
            assert len(await one.archives() - before[one.name]) == 1
    finally:
        await other.remove()
