"""What differs between an archive and another one, or a live queue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from fluxstate_tui.archive.manifest import CatalogEntry
from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.live import events
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.tui.screens.archive.diff import DiffScreen
from fluxstate_tui.tui.screens.archive.screen import ArchiveScreen
from tests.unit.archive import given
from tests.unit.tui_screens import feed
from tests.unit.tui_screens.archives.opening import HOSTILE, opened, write
from tests.unit.tui_screens.rehearsal import RehearsedActions
from tests.unit.tui_screens.stage import LARGE, SIZES, SMALL, make_app, screen_text, see, until

FIRST, SECOND = 1 << 30, 2 << 30


def two_archives(folder: Path) -> Path:
    """In the second, one job is renamed, one is gone and one is new."""
    spec = given.jobspec
    kept = given.job_entries(FIRST, given.finished(), spec("kept"))
    before = given.job_entries(SECOND, given.pending(), spec("before"))
    after = given.job_entries(SECOND, given.finished(), spec("before"))
    gone = given.job_entries(3 << 30, given.pending(), spec("gone"))
    new = given.job_entries(4 << 30, given.pending(), spec(HOSTILE))
    write(folder, kept, after, new, name="later.tar.gz")
    return write(folder, kept, before, gone, name="first.tar.gz")


@pytest.mark.parametrize("size", SIZES)
async def test_another_archive_of_the_folder_is_compared(
    size: tuple[int, int], tmp_path: Path
) -> None:
    async with opened(two_archives(tmp_path), size, ("w",)) as pilot:
        await see(pilot, "What differs between first.tar.gz and …")
        await pilot.press("enter")
        await see(pilot, "1 only in the archive")
        text = screen_text(pilot.app)
        for words in ("- 1 only", "+ 1 only in the other", "~ 1 changed", "= 1 the same", "[/foo]"):
            assert words in text
        await pilot.press("down", "down")
        await see(pilot, "SCHED → INACTIVE")


async def test_one_kind_of_difference_is_shown_alone(tmp_path: Path) -> None:
    async with opened(two_archives(tmp_path), SMALL, ("w",)) as pilot:
        await see(pilot, "later.tar.gz")
        await pilot.press("enter")
        await see(pilot, "~ 1 changed")
        await pilot.press("f")
        await until(pilot, lambda: "kept" not in screen_text(pilot.app))
        assert "gone" in screen_text(pilot.app)


async def test_equal_archives_are_said_to_be_equal(tmp_path: Path) -> None:
    for name in ("a.tar.gz", "b.tar.gz"):
        (tmp_path / name).write_bytes(given.path("mixed").read_bytes())
    async with opened(tmp_path / "a.tar.gz", SMALL, ("w",)) as pilot:
        await see(pilot, "b.tar.gz")
        await pilot.press("enter")
        await see(pilot, "= all 36 jobs are the same")


async def test_what_is_missing_in_a_truncated_archive_is_not_called_gone(tmp_path: Path) -> None:
    whole = tmp_path / "whole.tar.gz"
    whole.write_bytes(given.path("mixed").read_bytes())
    (tmp_path / "cut.tar.gz").write_bytes(whole.read_bytes()[:10743])
    async with opened(whole, LARGE, ("w",)) as pilot:
        await see(pilot, "cut.tar.gz")
        await pilot.press("enter")
        await see(pilot, "cut.tar.gz is truncated: a job that seems to be missing")


async def test_a_file_is_named_by_its_path_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    path = two_archives(tmp_path)
    async with opened(path, LARGE, ("w",)) as pilot:
        await see(pilot, "another file …")
        await pilot.press("end", "enter")
        await see(pilot, "An archive of this machine")
        await pilot.press(*"nothing", "enter")
        await see(pilot, "There is no such file.")
        await pilot.press(*["backspace"] * 7, *"later.tar.gz", "enter")
        await see(pilot, "~ 1 changed")


async def compare_with_live(pilot: Pilot[Any], actions: RehearsedActions) -> None:
    """Look into an archive of a catalog and compare it with its own queue."""
    app = pilot.app
    ref = feed.ref("flux-sample")
    entry = CatalogEntry("mixed", "/state/fluxstate/mixed.tar.gz", 1, 0.0, None)
    screen = ArchiveScreen(
        app.services,  # type: ignore[attr-defined]
        "mixed",
        lambda reading: actions.open_archive(ref, entry, reading),
        ref=ref,
    )
    await app.push_screen(screen)
    await until(pilot, lambda: screen.opened is not None)
    await pilot.press("w")
    await see(pilot, "flux-sample")
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, DiffScreen))


async def test_an_archive_is_accounted_for_against_the_live_queue() -> None:
    jobs = [one.job for one in read_archive(given.path("mixed")).jobs]
    actions = RehearsedActions()
    actions.archives["mixed"] = given.path("mixed")
    app = make_app(actions=actions)
    ref = feed.ref("flux-sample")
    app.services.store.take(events.JobsListed(ref, feed.by_id(jobs[:-1]), feed.NOW))
    async with app.run_test(size=LARGE) as pilot:
        await compare_with_live(pilot, actions)
        await see(pilot, "- 1 only in the archive")
        await see(pilot, "36 saved: 35 same")
        await see(pilot, "1 lost")
        app.services.store.take(events.JobsListed(ref, feed.by_id(jobs), feed.NOW))
        await pilot.press("r")
        await see(pilot, "= all 36 jobs are the same")
        await see(pilot, "0 lost")


async def test_a_stale_queue_is_said_to_be_stale() -> None:
    actions = RehearsedActions()
    actions.archives["mixed"] = given.path("mixed")
    app = make_app(actions=actions)
    ref = feed.ref("flux-sample")
    app.services.store.take(
        events.SourceChanged(f"queue:{ref.uid}", Freshness.STALE, "connection lost", feed.NOW)
    )
    async with app.run_test(size=LARGE) as pilot:
        await compare_with_live(pilot, actions)
        await see(pilot, "the queue of flux-sample is stale")


def test_fields_are_not_lost_in_the_summary() -> None:
    from fluxstate_tui.archive.compare import diff
    from fluxstate_tui.tui.screens.archive.diff import compared, summary

    (first, *_) = (one.job for one in read_archive(given.path("mixed")).jobs)
    rows, _ = compared(diff([first], [msgspec.structs.replace(first, urgency=31)]))
    assert summary(rows[first.id]).startswith("urgency 16 → 31")
