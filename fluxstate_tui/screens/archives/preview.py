"""What a restore of an archive would do with every job, for the size that one thinks of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from fluxstate_tui.archive.by_id import ById
from fluxstate_tui.archive.collecting import without_collector
from fluxstate_tui.archive.preview import Fate, JobFate, RestorePreview, preview
from fluxstate_tui.archive.reading import Reading
from fluxstate_tui.model.steps import let_go
from fluxstate_tui.screens.archives.archived_job import push_job
from fluxstate_tui.screens.archives.opened import Opened
from fluxstate_tui.screens.archives.preview_rows import (
    FATE_COLUMNS,
    FATE_FIELDS,
    count_rows,
    fate_order,
    queue_rows,
    size_parts,
)
from fluxstate_tui.screens.archives.room import Room, RoomDialog
from fluxstate_tui.screens.live import LiveScreen
from fluxstate_tui.screens.services import Services
from fluxstate_tui.widgets.background import in_background
from fluxstate_tui.widgets.grid import Grid
from fluxstate_tui.widgets.line import Line, Part
from fluxstate_tui.widgets.panel import Panel
from fluxstate_tui.widgets.table import Table


class PreviewScreen(LiveScreen):
    """Computes anew for every size, in a thread; nothing of it touches a cluster."""

    CSS_PATH = "../inner.tcss"
    HELP_TEXT = (
        "What a restore would do, before it is done. Jobs that are over stay as history. A job "
        "that ran at the dump comes back FAILED. One that needs more nodes than there are is "
        "failed by Flux for good: + until it fits. Stopped queues let nothing start."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "job", id="archive-preview.open", key_display="↵"),
        Binding("escape,v", "app.pop_screen", "back", id="archive-preview.back", key_display="esc"),
        Binding(
            "plus,equals_sign", "resize(1)", "node more", id="archive-preview.more", key_display="+"
        ),
        Binding("minus", "resize(-1)", "less", id="archive-preview.less", key_display="-"),
        Binding("e", "edit", "cores, uid", id="archive-preview.edit"),
        Binding(
            "f", "fate", "next fate", id="archive-preview.fate", tooltip="Only jobs of one fate"
        ),
    ]

    def __init__(self, services: Services, opened: Opened, size: int | None = None) -> None:
        super().__init__(services)
        self.opened = opened
        resources = opened.verdict.archive.resources
        self.room = Room(size or (resources.nnodes if resources is not None else 1))
        self.found: RestorePreview | None = None
        self.counts: dict[Fate, int] = {}
        self._fates: list[JobFate] = []
        self._only: Fate | None = None
        self.table: Table[int, JobFate] = Table(
            FATE_COLUMNS,
            FATE_FIELDS,
            natural=fate_order,
            still=True,
            remembered=services.memory.table("archive-preview").without_filter(),
        )

    def body(self) -> Iterable[Widget]:
        """The size, the numbers, the queues, the jobs."""
        yield Line(id="preview-room", classes="summary")
        yield Panel(id="preview-warnings")
        yield Panel(id="preview-counts")
        yield self.table

    def crumbs(self) -> list[str]:
        """The archive, then this."""
        return [self.opened.name, "preview"]

    def freshness_parts(self) -> list[Part]:
        """When it was dumped, and whether it is whole."""
        return self.opened.dumped_parts()

    def tick(self) -> None:
        """Nothing in an archive grows older."""

    def on_mount(self) -> None:
        """Think it through for the size that it had."""
        super().on_mount()
        self.table.grid.focus()
        self._compute()

    def on_unmount(self) -> None:
        """Let a million fates go without a halt."""
        super().on_unmount()
        if self._fates:
            asyncio.get_running_loop().run_in_executor(None, let_go, self._fates)

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Show that job."""
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        """Show the job under the cursor."""
        key = self.table.grid.cursor_key
        if key is not None:
            push_job(self, self.services, self.opened, key)

    def action_resize(self, step: int) -> None:
        """One node more or less, never none."""
        self._change(self.room.resized(step))

    def action_edit(self) -> None:
        """Write nodes, cores and uid."""
        self.app.push_screen(RoomDialog(self.room), self._change)

    def action_fate(self) -> None:
        """Only the jobs of the next fate that occurs; after the last one all again."""
        fates: list[Fate | None] = [None, *self.counts]
        at = fates.index(self._only) if self._only in fates else 0
        self._only = only = fates[(at + 1) % len(fates)]
        self.table.grid.filter_by(None if only is None else lambda one: one.fate is only)
        self._show_counts()

    def _change(self, room: Room | None) -> None:
        if room is not None and room != self.room:
            self.room = room
            self._compute()

    def _compute(self) -> None:
        shown = size_parts(self.room, self.opened, self.found)
        self.query_one("#preview-room", Line).say([*shown, ("  working it out …", "$muted")])
        if self.found is None:
            self.table.say_when_empty("Working out what a restore would do …")
        in_background(self, self._think)

    async def _think(self) -> None:
        room, reading = self.room, Reading()
        thought = await reading.in_thread(lambda: think(self.opened, room, reading.go_on))
        found, self.counts, rows = thought
        self.found = found
        await self.table.show_in_thread(rows)
        self.table.say_when_empty("The archive holds no job: the queue comes up empty.")
        self.query_one("#preview-room", Line).say(size_parts(room, self.opened, found))
        warnings = self.query_one("#preview-warnings", Panel)
        warnings.say([[(f"▲ {text}", "$state-bad")] for text in found.warnings[:4]])
        warnings.display = bool(found.warnings)
        self._show_counts()
        old, self._fates = self._fates, found.jobs
        if self.table.grid.selection.rows is rows:  # else the old ones are still shown
            await asyncio.to_thread(let_go, old)

    def _show_counts(self) -> None:
        if self.found is not None:
            rows = [*count_rows(self.counts, self._only), *queue_rows(self.found)]
            self.query_one("#preview-counts", Panel).say(rows)


def think(
    opened: Opened, room: Room, go_on: Callable[[], None]
) -> tuple[RestorePreview, dict[Fate, int], ById[JobFate]]:
    """The fate of every job, how many have each, and the fates by job. May run in a thread."""
    with without_collector(len(opened.jobs)):
        found = preview(
            opened.verdict.archive, size=room.size, cores=room.cores, uid=room.uid, go_on=go_on
        )
        return found, found.counts, ById(opened.jobs.ids, found.jobs)
