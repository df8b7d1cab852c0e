"""The pictures of the README, taken from the real dashboard on the simulated cluster.

`python -m fluxstate_tui.demo.pictures screenshots` makes them again.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluxstate_tui.demo.cluster import simulated_cluster
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.tui.run import build

if TYPE_CHECKING:
    from textual.pilot import Pilot


SIZE = (110, 30)
SPEED = 4.0
PATIENCE = 180.0
BUSY, PAUSED = "lammps-sweep", "training"


@dataclass(frozen=True, slots=True)
class Camera:
    """What is on the screen: waited for, and saved as `NAME.svg`."""

    pilot: Pilot[Any]
    folder: Path

    async def see(self, *texts: str) -> None:
        """Wait until all of them are shown."""
        await _until(self.pilot, lambda: all(text in _text(self.pilot) for text in texts), texts)

    def save(self, name: str) -> None:
        """Take the picture."""
        svg = self.pilot.app.export_screenshot(title="fluxstate-tui")
        (self.folder / f"{name}.svg").write_text(svg, encoding="utf-8")


async def take(kubeconfig: Path, folder: Path) -> None:
    """Walk through the dashboard and save an SVG of each screen that matters."""
    app = build(KubeOptions(kubeconfig=str(kubeconfig)), demo=True)
    app.animation_level = "none"
    async with app.run_test(size=SIZE) as pilot:
        camera = Camera(pilot, folder)
        await _watch(camera)
        await _save_and_look(camera)
        await _migrate(camera)


async def _watch(camera: Camera) -> None:
    pilot = camera.pilot
    await camera.see(BUSY, PAUSED, "▶ started", "‖ stopped", "nightly", "● Up")
    camera.save("miniclusters")
    await pilot.press("down", "down", "enter")
    await camera.see("RUN", "COMPLETED")
    camera.save("queue")
    await pilot.press("3")
    await camera.see("cores busy")
    camera.save("nodes")
    await pilot.press("escape")


async def _save_and_look(camera: Camera) -> None:
    pilot = camera.pilot
    await pilot.press("s")
    await camera.see("Wait until they are done")
    await pilot.press("enter")
    await camera.see("Completed")
    camera.save("save")
    await pilot.press("escape", "enter")
    await camera.see("1 Queue")
    await pilot.press("4")
    await camera.see("catalog beside")
    await pilot.press("enter")
    await camera.see("complete")
    await pilot.press("g")
    await camera.see("one cell is")
    camera.save("archive")
    await pilot.press("escape", "escape", "escape")


async def _migrate(camera: Camera) -> None:
    pilot = camera.pilot
    await camera.see("WHY")
    await pilot.press("m")
    await camera.see("Migrate lammps-sweep")
    await pilot.press("plus", "plus", "tab", *"lammps-big", "enter")
    await camera.see("Go ahead")
    await pilot.press("right", "enter")
    await camera.see("Account  ✓", " arrived: ")
    camera.save("migrate")
    await camera.see("Completed")


def _text(pilot: Pilot[Any]) -> str:
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in strips)


async def _until(pilot: Pilot[Any], condition: Callable[[], bool], wanted: object) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while not condition():
        if loop.time() > deadline:
            raise TimeoutError(f"never on the screen together: {wanted}\n{_text(pilot)}")
        await pilot.pause(0.05)


def main() -> None:
    """Take all pictures into the folder that is named."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with simulated_cluster("demo", SPEED) as kubeconfig:
        asyncio.run(take(kubeconfig, folder))


if __name__ == "__main__":
    main()
