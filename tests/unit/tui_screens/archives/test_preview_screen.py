"""What a restore would do, for any size, before it is done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fluxstate_tui.live import events
from fluxstate_tui.tui.screens.archive.preview import PreviewScreen
from tests.unit.archive import given
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.archives.opening import opened
from tests.unit.tui_screens.rehearsal import RehearsedActions
from tests.unit.tui_screens.stage import LARGE, SIZES, SMALL, make_app, screen_text, see, until


@pytest.mark.parametrize("size", SIZES)
async def test_jobs_are_grouped_by_their_fate(size: tuple[int, int]) -> None:
    async with opened(given.path("mixed"), size, ("v",)) as pilot:
        await see(pilot, "stay as history")
        text = screen_text(pilot.app)
        for words in ("2  wait", "1  are held", "7  start at once", "26  stay as history"):
            assert words in text
        assert "the queue comes up started" in text
        rows = text.splitlines()
        first, second = (
            next(n for n, row in enumerate(rows) if name in row) for name in ("p-begin", "p-plain")
        )
        assert first < second


async def test_fewer_nodes_bring_jobs_that_never_fit_and_which_size_would_do() -> None:
    async with opened(given.path("pending"), LARGE, ("v",)) as pilot:
        await see(pilot, "onto 2 nodes (it had 2)")
        await pilot.press("minus")
        await see(pilot, "can never fit")
        await see(pilot, "2 nodes would do for all")
        await pilot.press("plus")
        await until(pilot, lambda: "can never fit" not in screen_text(pilot.app))
        await pilot.press("minus", "minus", "minus")
        await see(pilot, "onto 1 node ")


async def test_jobs_that_ran_at_the_dump_come_back_failed() -> None:
    async with opened(given.path("running"), SMALL, ("v",)) as pilot:
        await see(pilot, "come back FAILED")
        await see(pilot, "it ran when the queue")


async def test_cores_and_uid_are_written_in_a_dialog() -> None:
    async with opened(given.path("mixed"), LARGE, ("v",)) as pilot:
        await see(pilot, "4 cores each, the same uid")
        await pilot.press("e", "tab", "2", "tab", "7", "7", "enter")
        await see(pilot, "2 cores each, uid 77")
        await see(pilot, "belong to another user")
        await pilot.press("e", "escape")
        await see(pilot, "uid 77")


async def test_letters_in_a_number_are_refused() -> None:
    async with opened(given.path("mixed"), LARGE, ("v",)) as pilot:
        await see(pilot, "4 cores each, the same uid")
        await pilot.press("e", "tab", *"2x", "enter")
        await see(pilot, "2x is no number.")
        await pilot.press("backspace", "enter")
        await see(pilot, "2 cores each, the same uid")


async def test_one_key_shows_only_the_jobs_of_one_fate_after_the_other() -> None:
    async with opened(given.path("mixed"), SMALL, ("v",)) as pilot:
        await see(pilot, "p-begin")
        screen = pilot.app.screen
        assert isinstance(screen, PreviewScreen)
        await pilot.press("f")
        seen = {len(screen.table.grid.selection)}
        for _ in screen.counts:
            await pilot.press("f")
            seen.add(len(screen.table.grid.selection))
        assert seen == {36, 26, 7, 2, 1}


async def test_a_truncated_archive_is_warned_about() -> None:
    async with opened(given.path("truncated"), SMALL, ("v",)) as pilot:
        await see(pilot, "Flux cannot restore this archive, its broker would exit")
        await see(pilot, "▲ PARTIAL")


async def test_the_restore_dialog_shows_what_becomes_of_every_job() -> None:
    actions = RehearsedActions()
    newest = max(feed.catalog(), key=lambda entry: entry.modified)
    actions.archives[newest.id] = given.path("mixed")
    app = make_app(actions=actions)
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("down", "r")
        await see(pilot, newest.id)
        await pilot.press("plus", "v")
        await until(pilot, lambda: isinstance(app.screen, PreviewScreen))
        await see(pilot, "7  start at once")
        await pilot.press("escape")
        await see(pilot, "Restore flux-sample")


async def test_the_dialog_of_a_restore_and_its_preview_of_every_job_give_one_answer(
    tmp_path: Path,
) -> None:
    """With maxSize the archive's Flux had more ranks than the MiniCluster had nodes."""
    newest = max(feed.catalog(), key=lambda entry: entry.modified)
    wide = given.job_entries(1 << 24, given.pending(), given.jobspec("wide", nodes=5))
    small = given.job_entries(2 << 24, given.pending(), given.jobspec("small"))
    actions = RehearsedActions()
    actions.archives[newest.id] = tmp_path / "wide.tar.gz"
    actions.archives[newest.id].write_bytes(given.archive(*wide, *small))
    grows = replace(feed.minicluster("flux-sample", 4), max_size=6)
    world = [*feed.world(), events.MiniClusterChanged(grows, feed.NOW)]
    app = make_app(world, actions=actions)
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("down", "r")
        await see(pilot, "it had 4")
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, PreviewScreen))
        await see(pilot, "onto 4 nodes of at most 6 (it had 4)")
        await see(pilot, "Stuck: 1 waits for 5 nodes and blocks 1 behind it")
        await see(pilot, "blocks the queue")
