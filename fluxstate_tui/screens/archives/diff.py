"""What differs between an archive and another one, or a live queue, job by job."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from fluxstate_tui.archive.account import account
from fluxstate_tui.archive.by_id import ById
from fluxstate_tui.archive.collecting import without_collector
from fluxstate_tui.archive.diff import diff
from fluxstate_tui.archive.reading import Reading
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.screens.archives.archived_job import push_job
from fluxstate_tui.screens.archives.diff_rows import (
    DIFF_COLUMNS,
    DIFF_FIELDS,
    Compared,
    What,
    change_rows,
    compared,
    count_parts,
    order,
)
from fluxstate_tui.screens.archives.opened import Opened
from fluxstate_tui.screens.archives.side import Side
from fluxstate_tui.screens.archives.verdict_rows import progress_parts
from fluxstate_tui.screens.explanation import trouble_rows
from fluxstate_tui.screens.live import LiveScreen
from fluxstate_tui.screens.services import Services
from fluxstate_tui.widgets.background import in_background
from fluxstate_tui.widgets.grid import Grid
from fluxstate_tui.widgets.line import Line, Part
from fluxstate_tui.widgets.panel import Panel
from fluxstate_tui.widgets.table import Table

_REDRAW_SECONDS = 0.15


class DiffScreen(LiveScreen):
    """What differs stands first. A live queue is compared as it is now; `r` looks again."""

    CSS_PATH = "../inner.tcss"
    HELP_TEXT = (
        "- only in the archive, + only in the other one, ~ in both and changed, = the same. Below "
        "the table is what changed of the job under the cursor. Compared with a live queue the "
        "account says what became of every saved job."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "job", id="archive-diff.open", key_display="↵"),
        Binding("escape", "leave", "back", id="archive-diff.back", key_display="esc"),
        Binding(
            "f", "what", "next kind", id="archive-diff.what", tooltip="Only one kind of difference"
        ),
        Binding("r", "again", "look again", id="archive-diff.again"),
    ]

    def __init__(self, services: Services, opened: Opened, other: Side) -> None:
        super().__init__(services)
        self.opened = opened
        self.other = other
        self._only: What | None = None
        self._reading: Reading | None = None
        self._counts: dict[What, int] = {}
        self._notes: list[list[Part]] = []
        self.table: Table[int, Compared] = Table(
            DIFF_COLUMNS,
            DIFF_FIELDS,
            natural=order,
            still=True,
            remembered=services.memory.table("archive-diff").without_filter(),
        )

    def body(self) -> Iterable[Widget]:
        """Both sides, the numbers, the jobs, and what changed of one."""
        yield Line(id="diff-sides", classes="summary")
        yield Line(id="diff-counts", classes="summary")
        yield Panel(id="diff-notes")
        yield self.table
        yield Panel(id="diff-fields", classes="findings")

    def crumbs(self) -> list[str]:
        """The archive, then this."""
        return [self.opened.name, "compare"]

    def freshness_parts(self) -> list[Part]:
        """When the archive was dumped."""
        return self.opened.dumped_parts()

    def tick(self) -> None:
        """A live queue goes on; what is shown is from when it was looked at."""

    def on_mount(self) -> None:
        """Read the other side."""
        super().on_mount()
        self.table.grid.focus()
        self.query_one("#diff-sides", Line).say(
            [
                (f"- {self.opened.name}", "$state-bad"),
                ("   ", ""),
                (f"+ {self.other.name}", "$state-ok"),
                (f"  {self.other.about}", "$muted"),
            ]
        )
        self.set_interval(_REDRAW_SECONDS, self._show_progress)
        self.action_again()

    def on_unmount(self) -> None:
        """Nobody waits for it any more."""
        super().on_unmount()
        if self._reading is not None:
            self._reading.stop()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Show that job."""
        event.stop()
        self.action_open()

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        """What changed of the job under the cursor."""
        event.stop()
        row = self._row(event.key)
        self.query_one("#diff-fields", Panel).say(change_rows(row) if row is not None else [])

    def action_leave(self) -> None:
        """Stop reading, and back."""
        if self._reading is not None:
            self._reading.stop()
        self.app.pop_screen()

    def action_open(self) -> None:
        """The job as it is in the archive."""
        key = self.table.grid.cursor_key
        if key is not None:
            push_job(self, self.services, self.opened, key)

    def action_what(self) -> None:
        """Only jobs of the next kind of difference; after the last one all again."""
        kinds: list[What | None] = [None, *self._counts]
        at = kinds.index(self._only) if self._only in kinds else 0
        self._only = only = kinds[(at + 1) % len(kinds)]
        self.table.grid.filter_by(None if only is None else lambda row: row.what is only)
        self._show_counts()

    def action_again(self) -> None:
        """Read the other side, again if it is live."""
        if self._reading is None:
            self._reading = Reading()
            self.table.say_when_empty(f"Reading {self.other.name} …")
            in_background(self, self._compare)

    def _row(self, key: int | None) -> Compared | None:
        return None if key is None else self.table.grid.selection.rows.get(key)

    def _show_progress(self) -> None:
        if self._reading is not None:
            self.query_one("#diff-counts", Line).say(progress_parts(self._reading))

    def _show_counts(self) -> None:
        self.query_one("#diff-counts", Line).say(count_parts(self._counts, self._only))

    async def _compare(self) -> None:
        reading = self._reading
        assert reading is not None
        try:
            await self._read_and_compare(reading)
        except FluxstateError as error:
            self._counts = {}
            self.query_one("#diff-counts", Line).say([(f"✗ {error.message}", "$state-bad")])
            self.table.say_when_empty("\n".join((*trouble_rows(error), "r looks again.")))
        finally:
            self._reading = None

    async def _read_and_compare(self, reading: Reading) -> None:
        other = await self.other.load(reading)
        mine = self.opened.jobs

        def compare() -> tuple[ById[Compared], dict[What, int], str]:
            with without_collector(len(mine) + len(other.by_id)):
                found = diff(mine.values(), other.by_id.values(), reading.go_on)
                rows, counts = compared(found)
                if not self.other.live:
                    return rows, counts, ""
                return rows, counts, account(mine.values(), other.by_id.values()).explain()

        rows, self._counts, explained = await reading.in_thread(compare)
        self._reading = None
        self._show_notes(other.doubt, explained)
        self.table.say_when_empty("Both are without any job.")
        await self.table.show_in_thread(rows)
        self._show_counts()

    def _show_notes(self, doubt: str, explained: str) -> None:
        notes: list[list[Part]] = []
        if explained:
            tone = "$state-ok" if " 0 lost" in explained else "$state-bad"
            notes.append([("account  ", "$muted"), (explained, tone)])
        mine = f"{self.opened.name} is {self.opened.verdict.kind.value}"
        for text in (mine if self.opened.partial else "", doubt):
            if text:
                missing = f"▲ {text}: a job that seems to be missing may only not be readable."
                notes.append([(missing, "$state-warn")])
        panel = self.query_one("#diff-notes", Panel)
        panel.say(notes)
        panel.display = bool(notes)
