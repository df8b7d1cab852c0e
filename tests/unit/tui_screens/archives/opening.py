"""An app on an archive file, ready to be used."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from fluxstate_tui.archive.container import Entry
from fluxstate_tui.tui.screens.archive.screen import ArchiveScreen
from tests.unit.archive import given
from tests.unit.tui_screens.stage import make_app, until

HOSTILE = "[/foo] \x1b[31mred\x07 \u202egnp.exe [bold]b"


@asynccontextmanager
async def opened(
    path: Path, size: tuple[int, int], keys: Sequence[str] = ()
) -> AsyncIterator[Pilot[Any]]:
    """The archive is read, and the keys are pressed."""
    app = make_app([], archive=path)
    async with app.run_test(size=size) as pilot:
        screen = app.screen
        assert isinstance(screen, ArchiveScreen)
        await until(pilot, lambda: screen.opened is not None, 20)
        for key in keys:
            await pilot.press(key)
        yield pilot


def write(folder: Path, *jobs: Sequence[Entry], name: str = "made.tar.gz") -> Path:
    """An archive with these jobs."""
    path = folder / name
    path.write_bytes(given.archive(*(entry for job in jobs for entry in job)))
    return path
