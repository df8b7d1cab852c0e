"""Columns, order and filter of a table stay as they were chosen; one row is shown in full."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from fluxstate_tui.flux.job import JobState
from fluxstate_tui.live import events
from fluxstate_tui.tui.widgets.table import FILE, Memory, TableChoice
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.stage import LARGE, SIZES, SMALL, make_app, screen_text, see, until

SAMPLE = feed.ref("flux-sample")


def test_choices_come_back_in_the_next_session(tmp_path: Path) -> None:
    choice = TableChoice(("name", "jobid"), ("name", True), "state:run")
    Memory(lambda: tmp_path).table("queue").save(choice)
    assert Memory(lambda: tmp_path).table("queue").load() == choice
    assert Memory(lambda: tmp_path).table("pods").load() == TableChoice()


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"queue": 1}', '{"queue": {"columns": 3, "order": [1], "filter": []}}', "\0"],
)
def test_a_broken_file_means_defaults(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    assert Memory(lambda: tmp_path).table("queue").load() == TableChoice()


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    place = Memory(lambda: tmp_path / "file").table("queue")
    place.save(TableChoice(filter="x"))
    assert place.load().filter == "x"


@pytest.mark.parametrize("size", SIZES)
async def test_columns_are_chosen_by_space_and_moved_and_kept(
    size: tuple[int, int], tmp_path: Path
) -> None:
    for session in range(2):
        app = make_app(memory=Memory(lambda: tmp_path))
        async with app.run_test(size=size) as pilot:
            await pilot.press("down", "enter")
            await see(pilot, "12 pending")
            if session == 0:
                await pilot.press("C")
                await see(pilot, "✓ JOBID")
                await pilot.press("down", "space", "down", "left", "left")
                await pilot.press("end", *["up"] * 8, "space", "enter")
            await until(pilot, lambda: "USER" not in screen_text(pilot.app))
            header = screen_text(app).splitlines()[4].split()
            assert header[:2] == ["NAME", "JOBID"]
            assert "QUEUE" in header


async def test_sort_and_filter_are_kept(tmp_path: Path) -> None:
    for session in range(2):
        app = make_app(memory=Memory(lambda: tmp_path))
        async with app.run_test(size=LARGE) as pilot:
            await pilot.press("down", "enter")
            await see(pilot, "12 pending")
            if session == 0:
                await pilot.press("o", "o", "slash", *"state:run", "enter")
            await see(pilot, "6 of 76")
            await see(pilot, "NAME▼")
            if session == 1:
                await pilot.press("ctrl+l")
                await see(pilot, "COMPLETED")
    assert Memory(lambda: tmp_path).table("queue").load().filter == ""


async def test_a_remembered_filter_that_makes_no_sense_is_no_filter(tmp_path: Path) -> None:
    memory = Memory(lambda: tmp_path)
    memory.table("queue").save(TableChoice(("gone",), ("gone", False), "nodes:>many"))
    app = make_app(memory=memory)
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("down", "enter")
        await see(pilot, "▶ RUN")
        await see(pilot, "JOBID")


@pytest.mark.parametrize("size", SIZES)
async def test_a_row_is_shown_in_full_on_demand(size: tuple[int, int]) -> None:
    name = "[/a]" + "n" * 200 + "-its-end"
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await pilot.press("down", "enter")
        await see(pilot, "12 pending")
        job = replace(feed.job(900, JobState.RUN), name=name, cwd="/scratch/deep")
        app.services.store.take(events.JobsChanged(SAMPLE, (job,), feed.NOW))
        await see(pilot, "[/a]nn")
        assert "-its-end" not in screen_text(app)
        await pilot.press("home", "z")
        await see(pilot, "-its-end")
        await see(pilot, "/scratch/deep")
        await pilot.press("z")
        await until(pilot, lambda: "-its-end" not in screen_text(app))


async def test_a_cell_of_a_megabyte_is_cut_aloud() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down", "enter")
        await see(pilot, "12 pending")
        job = replace(feed.job(900, JobState.RUN), name="n" * 1_000_000)
        app.services.store.take(events.JobsChanged(SAMPLE, (job,), feed.NOW))
        await see(pilot, "nnn")
        await pilot.press("home", "z", "end")
        await see(pilot, "and 900000 characters more")
