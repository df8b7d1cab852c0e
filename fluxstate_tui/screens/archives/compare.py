"""With what an archive is compared: another one of its catalogue or folder, or a live queue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluxstate_tui.archive.catalogue import ARCHIVE_SUFFIXES
from fluxstate_tui.screens.archives.diff import DiffScreen
from fluxstate_tui.screens.archives.file_dialog import FileDialog
from fluxstate_tui.screens.archives.opened import Opened
from fluxstate_tui.screens.archives.side import Side, of_entry, of_file, of_live
from fluxstate_tui.screens.dialog import Choice, ChoiceDialog
from fluxstate_tui.widgets.line import Part

if TYPE_CHECKING:
    from textual.screen import Screen

    from fluxstate_tui.screens.services import Services

_MOST = 40


def choose_other(screen: Screen[Any], services: Services, opened: Opened) -> None:
    """Ask with what to compare, and show what differs."""
    sides = [*_live(services, opened), *_entries(services, opened), *_files(opened)][:_MOST]
    choices: list[Choice[Side | Path]] = [Choice(side, side.name, side.about) for side in sides]
    folder = opened.path.parent if opened.path is not None else Path.cwd()
    choices.append(Choice(folder, "another file …", "an archive of this machine, by its path"))
    lines: list[list[Part]] = [[(f"What differs between {opened.name} and …", "")]]

    def show(side: Side) -> None:
        screen.app.push_screen(DiffScreen(services, opened, side))

    def show_file(path: Path | None) -> None:
        if path is not None:
            show(of_file(path))

    def chosen(choice: Side | Path | None) -> None:
        if isinstance(choice, Side):
            show(choice)
        elif choice is not None:
            screen.app.push_screen(FileDialog(choice), show_file)

    screen.app.push_screen(ChoiceDialog("Compare", lines, choices), chosen)


def _live(services: Services, opened: Opened) -> Iterator[Side]:
    """Live queues that are known; that of the archive's own MiniCluster first."""
    pictures = [p for p in services.store.clusters.values() if p.jobs_at is not None]
    own = opened.ref.name if opened.ref is not None else ""
    pictures.sort(key=lambda p: (p.gone_at is not None, p.ref.name != own, str(p.ref)))
    for picture in pictures:
        yield of_live(services, picture)


def _entries(services: Services, opened: Opened) -> Iterator[Side]:
    """Other archives of the same catalogue."""
    picture = services.store.clusters.get(opened.ref.uid) if opened.ref is not None else None
    if picture is not None and opened.ref is not None:
        for entry in picture.catalogue:
            if entry.id != opened.name:
                yield of_entry(services, opened.ref, entry)


def _files(opened: Opened) -> Iterator[Side]:
    """Other archives in the same folder of this machine."""
    if opened.path is None:
        return
    try:
        found = sorted(opened.path.parent.iterdir())
    except OSError:
        return
    for path in found:
        if path.name.endswith(ARCHIVE_SUFFIXES) and path != opened.path:
            yield of_file(path)
