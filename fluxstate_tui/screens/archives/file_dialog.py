"""The path of a file of this machine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from fluxstate_tui.screens.dialog import Dialog
from fluxstate_tui.widgets.line import Line


class FileDialog(Dialog[Path]):
    """Relative paths count from the folder of the first archive."""

    CSS_PATH = "../inner.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "plan", "open", id="file.open", key_display="↵", priority=True),
    ]

    def __init__(self, folder: Path) -> None:
        super().__init__("An archive of this machine")
        self._folder = folder

    def content(self) -> Iterable[Widget]:
        """Where it counts from, the path, and what is wrong with it."""
        where = Line()
        where.say([(f"in {self._folder}, or an absolute path", "$muted")])
        yield where
        yield Input(id="file-path", compact=True, placeholder="archive.tar.gz")
        yield Line(id="file-trouble")

    def on_mount(self) -> None:
        """Write at once."""
        self.query_one("#file-path").focus()

    def action_plan(self) -> None:
        """Give the path back, if there is such a file."""
        text = self.query_one("#file-path", Input).value.strip()
        try:
            path = self._folder / Path(text).expanduser()
            there = bool(text) and path.is_file()
        except (OSError, ValueError, RuntimeError):
            there = False
        if there:
            self.dismiss(path)
        else:
            self.query_one("#file-trouble", Line).say([("There is no such file.", "$state-bad")])
