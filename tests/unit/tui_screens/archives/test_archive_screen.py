"""An archive opens like a queue; what is not whole is said aloud, and never called empty."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from fluxstate_tui.archive.container import Entry
from fluxstate_tui.archive.manifest import Manifest, Part, to_bytes
from fluxstate_tui.archive.progress import Reading, ReadingCancelledError
from fluxstate_tui.archive.verify import Verdict, verify
from fluxstate_tui.flux import eventlog
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.tui.screens.archive.opened import VERDICTS
from fluxstate_tui.tui.screens.archive.screen import ArchiveScreen
from fluxstate_tui.tui.widgets.table import Memory
from tests.unit.archive import given
from tests.unit.tui_screens.archives.opening import HOSTILE, opened, write
from tests.unit.tui_screens.stage import LARGE, SIZES, SMALL, make_app, screen_text, see, until


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", given.SMALL)
async def test_every_given_archive_opens_with_its_verdict(name: str, size: tuple[int, int]) -> None:
    async with opened(given.path(name), size) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, ArchiveScreen)
        assert screen.opened is not None
        word = VERDICTS[screen.opened.verdict.kind]
        text = screen_text(pilot.app)
        assert f"{word.glyph} {word.word} (L2)" in text
        assert "PARTIAL" not in text
        assert not screen.query_one("#findings").display


@pytest.mark.parametrize("size", SIZES)
async def test_a_truncated_archive_shows_its_jobs_and_says_that_they_are_a_part(
    size: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / "cut.tar.gz"
    path.write_bytes(given.path("mixed").read_bytes()[:10743])
    async with opened(path, size) as pilot:
        await see(pilot, "▲ PARTIAL: 26 jobs could be read")
        text = screen_text(pilot.app)
        assert "▲ truncated at byte" in text
        assert "at least" in text
        assert "b-batch" in text or "ƒYmAYbaP" in text


async def test_ten_thousand_jobs_open_in_the_same_table() -> None:
    async with opened(given.path("big-10k"), SMALL) as pilot:
        assert "10000 jobs in 51403 entries" in screen_text(pilot.app)
        await pilot.press("end")
        assert "✗" not in screen_text(pilot.app).splitlines()[1]


async def test_hostile_names_are_shown_as_text(tmp_path: Path) -> None:
    spec = given.jobspec(HOSTILE)
    path = write(tmp_path, given.job_entries(1 << 30, given.finished(), spec))
    for key in ((), ("enter",), ("g",), ("v",)):
        async with opened(path, LARGE, key) as pilot:
            await see(pilot, "[/foo]")
            assert "\x1b" not in screen_text(pilot.app)


async def test_reading_shows_its_progress_and_can_be_cancelled() -> None:
    halfway, asked = threading.Event(), []

    async def load(reading: Reading) -> Verdict:
        def read() -> Verdict:
            asked.append(reading)
            if len(asked) > 1:
                return verify(given.path("empty"))
            reading.progress(500_000_000, 1_000_000_000)
            halfway.wait(10)
            if reading.stopped():
                raise ReadingCancelledError("Reading the archive was cancelled.")
            raise AssertionError("nobody cancelled it")

        return await reading.in_thread(read)

    app = make_app([])
    async with app.run_test(size=SMALL) as pilot:
        await app.push_screen(ArchiveScreen(app.services, "slow.tar.gz", load))
        await see(pilot, "50%")
        await see(pilot, "500 MB of 1.0 GB")
        await pilot.press("escape")
        await until(pilot, asked[0].stopped)
        halfway.set()
        await see(pilot, "Reading the archive was cancelled.")
        await pilot.press("r")
        await see(pilot, "○ empty")
        await see(pilot, "The archive holds no job.")


async def test_leaving_the_screen_ends_the_reading() -> None:
    asked: list[Reading] = []

    async def load(reading: Reading) -> Verdict:
        asked.append(reading)
        await asyncio.Event().wait()
        raise AssertionError

    app = make_app([])
    async with app.run_test(size=SMALL) as pilot:
        await app.push_screen(ArchiveScreen(app.services, "slow.tar.gz", load))
        await until(pilot, lambda: bool(asked))
        app.pop_screen()
        await until(pilot, asked[0].stopped)


async def test_a_copy_that_differs_from_the_manifest_beside_it_is_not_called_complete(
    tmp_path: Path,
) -> None:
    path = tmp_path / "20261121-000000-flux-sample.tar.gz"
    path.write_bytes(given.path("pending").read_bytes())
    manifest = Manifest(
        id="20261121-000000-flux-sample",
        minicluster="flux-sample",
        namespace="default",
        uid="1",
        size=2,
        created=given.T0,
        created_by="a test",
        core_version="0.88.0",
        counts={},
        verified="L2",
        idle=True,
        parts=(Part("queue", path.name, path.stat().st_size, "0" * 64),),
    )
    path.with_name("20261121-000000-flux-sample.json").write_bytes(to_bytes(manifest))
    async with opened(path, LARGE) as pilot:
        await see(pilot, "the checksum is not the one of the manifest")
        assert "✓ complete" not in screen_text(pilot.app)


async def test_a_manifest_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "20261121-000000-flux-sample.tar.gz"
    path.write_bytes(given.path("pending").read_bytes())
    path.with_name("20261121-000000-flux-sample.json").write_text("{nonsense")
    async with opened(path, LARGE) as pilot:
        await see(pilot, "its manifest")


@pytest.mark.parametrize("size", SIZES)
async def test_a_job_shows_its_life_as_a_bar_and_a_list(size: tuple[int, int]) -> None:
    async with opened(given.path("mixed"), size, ("slash", *"c-running", "enter")) as pilot:
        await pilot.press("enter")
        await see(pilot, "LIFE")
        await see(pilot, "17.59s in all")
        text = screen_text(pilot.app)
        assert "▲ cancel" in text
        assert "████" in text
        assert "▶ RUN" in text
        assert "as it was dumped" in text
        assert "got        flux-sample-0 (rank 0): core 0" in text


async def test_keys_that_need_the_archive_say_so_while_it_is_read() -> None:
    asked: list[Reading] = []
    cancelled = asyncio.Event()

    async def load(reading: Reading) -> Verdict:
        asked.append(reading)
        reading.progress(1, 2)
        await cancelled.wait()
        reading.go_on()
        raise AssertionError

    app = make_app([])
    async with app.run_test(size=SMALL) as pilot:
        await app.push_screen(ArchiveScreen(app.services, "slow.tar.gz", load))
        await see(pilot, "50%")
        for key, answer in (
            ("g", "The chart opens when it is read"),
            ("v", "The preview opens when it is read"),
            ("w", "The comparison opens when it is read"),
            ("enter", "A job opens when it is read"),
        ):
            await pilot.press(key)
            await see(pilot, answer)
        await pilot.press("escape")
        await until(pilot, asked[0].stopped)
        cancelled.set()
        await see(pilot, "Reading the archive was cancelled.")
        assert "when it is read" not in screen_text(pilot.app)


async def test_order_and_columns_chosen_while_it_is_read_are_those_it_opens_with(
    tmp_path: Path,
) -> None:
    go = asyncio.Event()

    async def load(_: Reading) -> Verdict:
        await go.wait()
        return verify(given.path("mixed"))

    for session in range(2):
        app = make_app([], memory=Memory(lambda: tmp_path))
        async with app.run_test(size=LARGE) as pilot:
            screen = ArchiveScreen(app.services, "slow.tar.gz", load)
            await app.push_screen(screen)
            if session == 0:
                await see(pilot, "reading")
                await pilot.press("o")
                screen.table.filter("ok-")
                screen.table.choose_columns(("name", "jobid"))
                go.set()
            await see(pilot, "✓ complete")
            assert screen.table.grid.sorted_by == "user"
            assert [column.key for column in screen.table.grid.columns] == ["name", "jobid"]
            filtered = len(screen.table.grid.selection) < 36
            assert filtered is (session == 0), "a filter is for one archive only"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("data", "said"), [(b"", "zero-bytes: the file has 0 bytes"), (b"x" * 600, "✗ not-an-archive")]
)
async def test_a_file_in_which_nothing_can_be_is_not_called_a_part(
    data: bytes, said: str, size: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(data)
    async with opened(path, size) as pilot:
        await see(pilot, said)
        assert "PARTIAL" not in screen_text(pilot.app)
        assert "at least" not in screen_text(pilot.app)


async def test_output_that_went_to_a_file_says_where(tmp_path: Path) -> None:
    context = {"stream": "stdout", "rank": "0-3", "path": "/home/flux/out.txt"}
    log = eventlog.encode([Event(given.T0, "redirect", context)])
    output = Entry("job/0000/0000/0000/0001/guest/output", log)
    path = write(tmp_path, [*given.job_entries(1, given.finished()), output])
    async with opened(path, LARGE, ("enter",)) as pilot:
        await see(pilot, "[stdout of 0-3 went to /home/flux/out.txt]")
