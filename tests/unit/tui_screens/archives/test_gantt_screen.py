"""The whole archive as nodes over time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fluxstate_tui.tui.screens.archive.gantt import GanttScreen
from fluxstate_tui.tui.screens.archive.screen import ArchiveScreen
from fluxstate_tui.tui.screens.jobs.job import JobScreen
from tests.unit.archive import given
from tests.unit.tui_screens.archives.opening import opened, write
from tests.unit.tui_screens.stage import LARGE, SIZES, SMALL, screen_text, see, until


@pytest.mark.parametrize("size", SIZES)
async def test_nodes_are_rows_and_jobs_are_bars(size: tuple[int, int]) -> None:
    async with opened(given.path("mixed"), size, ("g",)) as pilot:
        await see(pilot, "23 jobs on 2 nodes, 13 never ran")
        text = screen_text(pilot.app)
        for word in ("flux-sample-0", "flux-sample-1", "c-running", "x-warned", "0s", "zoom in"):
            assert word in text


async def test_the_jobs_under_the_cursor_are_listed_and_open() -> None:
    async with opened(given.path("mixed"), SMALL, ("g",)) as pilot:
        await see(pilot, "ok-hello")
        await pilot.press("n")
        await until(pilot, lambda: "ok-hello" not in screen_text(pilot.app).split("(one cell")[1])
        await pilot.press("N", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, JobScreen))
        await see(pilot, "ok-hello")
        await pilot.press("escape", "escape")
        await see(pilot, "✓ complete")


async def test_zooming_and_panning_show_a_part_and_all_again() -> None:
    async with opened(given.path("mixed"), LARGE, ("g",)) as pilot:
        await see(pilot, "1m38s")
        screen = pilot.app.screen
        assert isinstance(screen, GanttScreen)
        whole = screen.chart.view
        await pilot.press("plus", "plus")
        assert screen.chart.view.step == pytest.approx(whole.step / 4)
        await see(pilot, "– 24")
        await pilot.press("shift+right", "right")
        assert screen.chart.view.begin > 0
        await pilot.press("0")
        assert screen.chart.view == whole
        await pilot.press("minus")
        assert screen.chart.view == whole


async def test_lanes_fold_to_one_line_per_node_that_shows_how_full_it_was() -> None:
    async with opened(given.path("big-10k"), SMALL, ("g",)) as pilot:
        await see(pilot, "+3")
        await pilot.press("f")
        await until(pilot, lambda: "+3" not in screen_text(pilot.app))
        assert set("▅▆▇█") & set(screen_text(pilot.app))


async def test_many_nodes_scroll_and_only_what_is_visible_is_drawn(tmp_path: Path) -> None:
    hosts = [f"node{number:03d}" for number in range(200)]
    path = write(tmp_path, given.job_entries(1 << 30, given.finished()))
    async with opened(path, SMALL, ("g",)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, GanttScreen)
        await see(pilot, "1 job on")
        (node, *_) = screen.chart.nodes
        screen.chart.show([replace(node, host=host) for host in hosts], 10.0)
        await pilot.press("end")
        await see(pilot, "node199")
        assert "node000" not in screen_text(pilot.app)
        await pilot.press("home")
        await see(pilot, "node000")


async def test_an_archive_in_which_nothing_ran_says_so() -> None:
    async with opened(given.path("empty"), SMALL) as pilot:
        await pilot.press("g")
        assert not isinstance(pilot.app.screen, GanttScreen)  # grey: there is no job


async def test_resizing_the_terminal_keeps_everything_in_sight() -> None:
    async with opened(given.path("mixed"), SMALL, ("g",)) as pilot:
        await see(pilot, "c-running")
        await pilot.resize_terminal(*LARGE)
        screen = pilot.app.screen
        assert isinstance(screen, GanttScreen)
        await until(pilot, lambda: screen.chart.view.width > 100)
        assert not screen.chart.view.zoomed


async def test_leaving_at_once_ends_the_work_without_a_word() -> None:
    async with opened(given.path("big-10k"), SMALL) as pilot:
        for key in ("g", "v"):
            await pilot.press(key, "escape")
            await until(pilot, lambda: isinstance(pilot.app.screen, ArchiveScreen))
        assert "✓ complete" in screen_text(pilot.app)
