"""The pictures of the README, taken from the real dashboard on the simulated cluster.

`python -m fluxstate_tui.demo.pictures screenshots` makes them again.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluxstate_tui.dashboard.run import build
from fluxstate_tui.demo.cluster import simulated_cluster
from fluxstate_tui.kube.options import KubeOptions

if TYPE_CHECKING:
    from textual.pilot import Pilot

SIZE = (110, 30)
SPEED = 4.0
PATIENCE = 180.0
BUSY, PAUSED = "lammps-sweep", "training"


async def take(kubeconfig: Path, folder: Path) -> None:
    """Walk through the dashboard and save an SVG of each screen that matters."""
    app = build(KubeOptions(kubeconfig=str(kubeconfig)), demo=True)
    app.animation_level = "none"

    async with app.run_test(size=SIZE) as pilot:

        async def see(*texts: str) -> None:
            await _until(pilot, lambda: all(text in _text(pilot) for text in texts), texts)

        def save(name: str) -> None:
            svg = app.export_screenshot(title="fluxstate-tui")
            (folder / f"{name}.svg").write_text(svg, encoding="utf-8")

        await see(BUSY, PAUSED, "▶ started", "‖ stopped", "nightly", "● Up")
        save("miniclusters")
        await pilot.press("down", "down", "enter")
        await see("RUN", "COMPLETED")
        save("queue")
        await pilot.press("3")
        await see("cores busy")
        save("nodes")
        await pilot.press("escape")
        await pilot.press("s")
        await see("Wait until they are done")
        await pilot.press("enter")
        await see("Completed")
        save("save")
        await pilot.press("escape", "enter")
        await see("1 Queue")
        await pilot.press("4")
        await see("catalogue beside")
        await pilot.press("enter")
        await see("complete")
        await pilot.press("g")
        await see("one cell is")
        save("archive")
        await pilot.press("escape", "escape", "escape")
        await see("WHY")
        await pilot.press("m")
        await see("Migrate lammps-sweep")
        await pilot.press("plus", "plus", "tab", *"lammps-big", "enter")
        await see("Go ahead")
        await pilot.press("right", "enter")
        await see("Account  ✓", " arrived: ")
        save("migrate")
        await see("Completed")


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
