"""`?`: the keys of the screen one came from, and the words of this program."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget

from fluxstate_tui.operations.registry import OPERATIONS
from fluxstate_tui.tui.screens.base import reason_of
from fluxstate_tui.tui.screens.dialog import Dialog
from fluxstate_tui.tui.text import fit
from fluxstate_tui.tui.widgets.lines import Panel, Part

UNKNOWN = "not possible now"
WORDS = (
    ("archive", "one flux dump file"),
    ("catalog", "the archives beside archive.path: versions that are never overwritten"),
    ("armed", "an archive lies at archive.path: the next start of the lead container loads it"),
    *((kind.value, spec.title) for kind, spec in OPERATIONS.items()),
    ("account", "job by job: same, running, finished since, refused, lost (must be 0)"),
    ("guard", "keeps a KVS checkpoint fresh: a container that dies then loses nothing"),
    ("L0 … L3", "how far it was verified: size, checksum, every job read, a test restore"),
)
FILTER = (
    ("text", "rows with that text anywhere"),
    ("state:run", "a field; name:a,b is a or b"),
    ("nodes:>2", "numbers: 4  >2  <=8"),
    ("!name:test", "not"),
)


WIDE = 140  # as in FluxstateApp.HORIZONTAL_BREAKPOINTS
"""Cells of the terminal from which on the keys stand in two columns."""
COLUMN = 58


class HelpScreen(Dialog[None]):
    """Keys as they are bound now, also when they were remapped."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "dismiss(None)", "close", id="help.close",
                key_display="esc"),
    ]  # fmt: skip

    def __init__(self, about: Screen[Any]) -> None:
        super().__init__("Help")
        self._about = about

    def content(self) -> Iterable[Widget]:
        """What the screen is, its keys, the filter, the words."""
        text = str(getattr(self._about, "HELP_TEXT", ""))
        for title, rows in (
            ("", [[(text, "")]] if text else []),
            ("KEYS", self._in_columns(self._keys())),
            ("FILTER", _table(FILTER) if self._about.query("Table") else []),
            ("WORDS", _table(WORDS)),
        ):
            if rows:
                panel = Panel(classes="block")
                panel.say(rows, title)
                yield panel

    def on_mount(self) -> None:
        """Arrow keys scroll it."""
        box = self.query_one(".dialog")
        box.can_focus = True
        box.focus()

    def _keys(self) -> list[list[Part]]:
        app = self._about.app
        rows: list[list[Part]] = []
        seen: set[tuple[str, str]] = set()
        known = self._about.active_bindings.values()
        for active in sorted(known, key=lambda active: not active.binding.show):
            binding = active.binding
            entry = (app.get_key_display(binding), binding.tooltip or binding.description)
            if not binding.id or not entry[1] or entry in seen:
                continue  # Textual's own scrolling keys have no id
            seen.add(entry)
            state = "" if active.enabled else f"  {reason_of(active) or UNKNOWN}"
            rows.append([(f"{entry[0]:>10}  ", "$accent bold"), (entry[1], ""), (state, "$muted")])
        return rows

    def _in_columns(self, rows: list[list[Part]]) -> list[list[Part]]:
        """Two columns where they fit: a screen has more keys than most terminals lines."""
        if self._about.app.size.width < WIDE:
            return rows
        half = (len(rows) + 1) // 2
        right = [*rows[half:], []]
        return [[*_cut(first), *second] for first, second in zip(rows[:half], right, strict=False)]


def _cut(row: list[Part]) -> list[Part]:
    """Exactly one column wide; a long reason ends with …"""
    room, cells = COLUMN, list[Part]()
    for text, style in row[:-1]:
        cells.append((text, style))
        room -= cell_len(text)
    text, style = row[-1]
    return [*cells, (fit(text, room), style)]


def _table(entries: Iterable[tuple[str, str]]) -> list[list[Part]]:
    return [[(f"{name:>10}  ", "$accent"), (meaning, "")] for name, meaning in entries]
