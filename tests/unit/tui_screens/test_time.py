"""Every visible cell that time changes, changes: on every screen, in every line, behind dialogs."""

from __future__ import annotations

from typing import Any

import pytest
from textual.geometry import Region

from fluxstate_tui.flux.job import JobState
from fluxstate_tui.live import events as e
from fluxstate_tui.tui.app import FluxstateApp
from fluxstate_tui.tui.widgets.grid import Grid
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.stage import LARGE, SIZES, StillClock, make_app, see

HOUR = 3600.0


def pass_time(app: FluxstateApp, seconds: float) -> None:
    clock = app.services.clock
    assert isinstance(clock, StillClock)
    clock.time += seconds
    app._tick()


def seen_grid(app: FluxstateApp) -> Grid[Any, Any]:
    screens = [screen for screen in app.screen_stack if getattr(screen, "seen", False)]
    (grid,) = [grid for grid in screens[-1].query(Grid) if grid.is_on_screen]
    return grid


def painted(grid: Grid[Any, Any], monkeypatch: pytest.MonkeyPatch) -> set[int]:
    lines: set[int] = set()
    original = grid.refresh

    def refresh(*regions: Region, **options: bool) -> object:
        lines.update(
            y for r in regions or (grid.region.reset_offset,) for y in range(r.y, r.bottom)
        )
        return original(*regions, **options)

    monkeypatch.setattr(grid, "refresh", refresh)
    return lines


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tab", ["", "1", "2", "3", "4", "5"])
async def test_every_line_whose_text_time_changes_is_painted(
    size: tuple[int, int], tab: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await see(pilot, "flux-sample")
        if tab:
            await pilot.press("home", *["down"] * row_of(app, "flux-sample"), "enter")
            await pilot.press(tab)
            await pilot.pause()
        grids = [grid for grid in app.screen.query(Grid) if grid.is_on_screen]
        for grid in grids:
            for key in ("home", "down", "down", "up", "end", "home"):
                await pilot.press(key)
                await pilot.pause()
                before = [line.text for line in grid.render_lines(grid.region.reset_offset)]
                lines = painted(grid, monkeypatch)
                pass_time(app, HOUR)
                grid._strips.clear()
                after = [line.text for line in grid.render_lines(grid.region.reset_offset)]
                changed = {y for y, text in enumerate(after) if text != before[y]}
                assert changed <= lines, (key, changed - lines)


def row_of(app: FluxstateApp, name: str) -> int:
    grid = seen_grid(app)
    rows = grid.selection.rows
    names = [rows[key].ref.name for key in grid.selection.between(0, len(rows))]
    return names.index(name)


async def test_no_column_changes_by_time_without_saying_so() -> None:
    app = make_app()
    async with app.run_test(size=LARGE) as pilot:
        await see(pilot, "flux-sample")
        store = app.services.store
        ending = feed.job(7, JobState.CLEANUP), feed.job(8, JobState.INACTIVE, t_cleanup=None)
        store.take(e.JobsChanged(feed.ref("flux-sample"), ending, feed.NOW))
        await pilot.press("enter")
        for tab in ("", "1", "2", "3", "4", "5"):
            if tab:
                await pilot.press(tab)
            for screen in app.screen_stack:
                for grid in screen.query(Grid):
                    rows = [*grid.selection.rows.values()]
                    for column in grid.every:
                        for row in rows:
                            now, later = (column.value(row, feed.NOW + s) for s in (0, HOUR))
                            assert column.ticks(row) or now == later, (column.key, row)


async def test_time_goes_on_behind_a_dialog(monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app()
    async with app.run_test(size=LARGE) as pilot:
        await see(pilot, "flux-sample")
        grid = seen_grid(app)
        rows = len(grid.selection)
        await pilot.press("C")
        await see(pilot, "Columns")
        lines = painted(grid, monkeypatch)
        pass_time(app, 100 * HOUR)
        assert set(range(1, rows + 1)) <= lines
