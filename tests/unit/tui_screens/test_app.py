"""The app itself: keys with ids, help, themes, and what it costs to start."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import cast

from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen

import fluxstate_tui.tui.screens.archive.screen as archive_screen
import fluxstate_tui.tui.screens.dialog as dialog
import fluxstate_tui.tui.screens.help as help_screen
import fluxstate_tui.tui.screens.jobs.job as job_screen
import fluxstate_tui.tui.screens.jobs.submit as submit_dialog
import fluxstate_tui.tui.screens.minicluster.screen as minicluster_screen
import fluxstate_tui.tui.screens.miniclusters.screen as miniclusters_screen
import fluxstate_tui.tui.screens.operation.restore_dialog as restore_dialog
import fluxstate_tui.tui.screens.operation.screen as operation_screen
from fluxstate_tui.operations.base import OperationKind
from fluxstate_tui.tui import app as app_module
from fluxstate_tui.tui.screens.archive import diff, opened
from fluxstate_tui.tui.screens.archive import gantt as gantt_screen
from fluxstate_tui.tui.screens.archive import preview as preview_screen
from fluxstate_tui.tui.screens.archive import preview as room
from fluxstate_tui.tui.screens.archive.screen import ArchiveScreen
from fluxstate_tui.tui.screens.base import LiveScreen
from fluxstate_tui.tui.widgets import gantt, grid, table
from fluxstate_tui.tui.widgets import table as filter_bar
from fluxstate_tui.tui.widgets.lines import Line
from tests.unit.tui_screens.stage import LARGE, SMALL, make_app, screen_text, see, until

MODULES = (
    app_module,
    archive_screen,
    dialog,
    diff,
    opened,
    filter_bar,
    gantt,
    gantt_screen,
    grid,
    help_screen,
    job_screen,
    minicluster_screen,
    miniclusters_screen,
    operation_screen,
    preview_screen,
    restore_dialog,
    room,
    submit_dialog,
    table,
)


def test_every_binding_has_an_id_of_its_own() -> None:
    owners: dict[str, str] = {}
    for module in MODULES:
        for _, found in inspect.getmembers(module, inspect.isclass):
            if not issubclass(found, DOMNode) or not found.__module__.startswith("fluxstate_tui"):
                continue
            for binding in vars(found).get("BINDINGS", ()):
                assert isinstance(binding, Binding)
                assert binding.id, f"{found.__name__}: {binding.key}"
                shared = binding.id.startswith("cluster.")
                assert shared or owners.setdefault(binding.id, found.__name__) == found.__name__


def test_no_key_that_destroys_stands_next_to_the_terminals_habits() -> None:
    keys = {
        binding.key
        for module in MODULES
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, DOMNode)
        for binding in vars(found).get("BINDINGS", ())
        if isinstance(binding, Binding) and found.__module__.startswith("fluxstate_tui")
    }
    assert not keys & {"ctrl+d", "ctrl+k", "backspace", "delete"}


def test_the_first_paint_imports_nothing_that_it_does_not_show() -> None:
    code = (
        "import sys, fluxstate_tui.tui.app\n"
        "heavy = {'kubernetes', 'aiohttp', 'yaml', 'fluxstate_tui.kube', 'fluxstate_tui.archive',\n"
        "  'fluxstate_tui.live.events', 'fluxstate_tui.flux.job'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def test_help_explains_the_keys_of_the_screen_one_came_from() -> None:
    app = make_app()
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("question_mark")
        await see(pilot, "Every MiniCluster with its derived state")
        for text in ("explain", "filter", "Mark", "catalog", "nodes:>2"):
            assert text in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: "WORDS" not in screen_text(app))


async def test_help_says_why_a_key_is_grey() -> None:
    app = make_app(read_only=True)
    async with app.run_test(size=LARGE) as pilot:
        await see(pilot, "flux-sample")
        await pilot.press("question_mark")
        await see(pilot, "save  Read-only: it was asked for")


async def test_every_theme_shows_the_home_screen() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: "high-contrast" in app.available_themes)
        for theme in ("flux-light", "high-contrast", "flux-colorblind", "nord", "ansi-dark"):
            app.theme = theme
            await pilot.pause()
            assert "● Up" in screen_text(app)


async def test_an_unknown_theme_is_told_and_another_is_used() -> None:
    app = make_app(theme="pink")
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await see(pilot, "There is no theme 'pink'")
        assert "● Up" in screen_text(app)


async def test_a_file_that_is_no_archive_says_what_to_open_instead(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text("# Notes")
    async with make_app([], archive=path).run_test(size=SMALL) as pilot:
        await see(pilot, "Open a file that `flux dump` wrote.")


async def test_an_archive_opens_without_a_cluster_and_shows_its_jobs(tmp_path: Path) -> None:
    path = tmp_path / "mine.tar.gz"
    path.write_bytes(b"")
    app = make_app([], archive=path)
    async with app.run_test(size=LARGE) as pilot:
        await see(pilot, "zero-bytes")
        await see(pilot, "No job could be read from it.")
        assert "holds no job" not in screen_text(app)
        assert isinstance(app.screen, ArchiveScreen)


async def test_an_archive_that_is_not_there_is_explained(tmp_path: Path) -> None:
    app = make_app([])
    missing = tmp_path / "missing.tar.gz"
    async with app.run_test(size=LARGE) as pilot:
        app.push_screen(ArchiveScreen.of_file(app.services, missing))
        await see(pilot, "✗ ")
        await pilot.press("escape")
        await see(pilot, "Connecting")


async def test_a_screen_without_its_header_is_not_ready_whatever_else_was_added() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: app.screen.ready)  # type: ignore[attr-defined]
        screen = app.screen
        assert isinstance(screen, LiveScreen)
        await screen.mount(Line(), Line())
        await screen.query_one("#header").remove()
        assert not screen.ready


async def test_a_notice_keeps_its_lines_and_only_a_few_of_very_many() -> None:
    app = make_app()
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        app.tell("first line\nsecond line" + "\nmore" * 100, "title", "warning")
        await see(pilot, "second line")
        assert "␊" not in screen_text(app)
        assert screen_text(app).count("more") < 12


async def test_a_tick_while_the_app_is_taken_apart_raises_nothing() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await see(pilot, "flux-sample")
    assert not app.screen_stack
    app._tick()  # its timer ends after the screens


async def test_screens_that_are_left_while_they_are_made_end_quietly() -> None:
    app = make_app()
    async with app.run_test(size=SMALL) as pilot:
        await pilot.press("down")
        home = app.screen
        assert isinstance(home, miniclusters_screen.MiniClustersScreen)
        kinds = ("save", "delete", "restore", "migrate", "pause")
        for kind in kinds:
            home.action_operate(kind)
            assert app.screen is not home
            await app.run_action("choose", app.screen)
            app.pop_screen()
            await until(pilot, lambda: app.screen is home)
        home.action_open()
        app.pop_screen()
        await until(pilot, lambda: app.screen is home)
        await see(pilot, "NAME")


async def test_the_palette_offers_what_can_be_done_now_and_nothing_else() -> None:
    app = make_app()
    async with app.run_test(size=LARGE) as pilot:
        await pilot.press("down")
        home = app.screen
        assert isinstance(home, miniclusters_screen.MiniClustersScreen)
        commands = app.get_system_commands(cast("Screen[object]", home))
        offered = {command.title: command for command in commands}
        possible = {kind.capitalize() for kind in OperationKind if _can(home, kind)}
        assert possible
        assert possible == {kind.capitalize() for kind in OperationKind} & offered.keys()
        offered["Save"].callback()
        await until(pilot, lambda: bool(app.screen.query("ChoiceList")))


def _can(home: miniclusters_screen.MiniClustersScreen, kind: OperationKind) -> bool:
    return any(
        active.enabled and active.binding.action == f"operate('{kind}')"
        for active in home.active_bindings.values()
    )
