"""Pictures of screens, to look at while developing: python -m tests.unit.tui_screens.shots DIR."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.unit.tui_screens.stage import make_app

SIZES = {"80x24": (80, 24), "160x48": (160, 48)}


async def shoot(folder: Path, name: str, keys: list[str], theme: str = "flux-dark") -> None:
    """Press the keys at every size and save the picture."""
    for label, size in SIZES.items():
        app = make_app(theme=theme)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            for key in keys:
                await pilot.press(key)
                await pilot.pause()
            await pilot.pause(0.2)
            (folder / f"{name}-{label}.svg").write_text(app.export_screenshot())


def main() -> None:
    """Shoot `name=key,key` for every argument after the folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for argument in sys.argv[2:]:
        name, _, keys = argument.partition("=")
        name, _, theme = name.partition("@")
        asyncio.run(shoot(folder, name, [k for k in keys.split(",") if k], theme or "flux-dark"))


if __name__ == "__main__":
    main()
