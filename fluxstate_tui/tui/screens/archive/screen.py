"""An archive opened without a cluster: its verdict, and its jobs in the same table as live ones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widget import Widget

from fluxstate_tui.archive.findings import Kind
from fluxstate_tui.archive.job_map import MANY_OBJECTS
from fluxstate_tui.archive.progress import Reading
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.job import Job
from fluxstate_tui.tui.screens.archive.opened import (
    Load,
    Opened,
    count_parts,
    finding_rows,
    identity_parts,
    let_go_of,
    prepare,
    progress_parts,
    push_job,
    read_file,
    verdict_parts,
)
from fluxstate_tui.tui.screens.base import LiveScreen
from fluxstate_tui.tui.screens.explanation import trouble_rows
from fluxstate_tui.tui.screens.jobs.columns import JOB_COLUMNS, JOB_FIELDS, activity
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.theme import INNER_CSS
from fluxstate_tui.tui.widgets.grid import Grid
from fluxstate_tui.tui.widgets.inputs import in_background
from fluxstate_tui.tui.widgets.lines import Line, Panel, Part
from fluxstate_tui.tui.widgets.table import Table

if TYPE_CHECKING:
    from fluxstate_tui.minicluster.minicluster import ClusterRef


_REDRAW_SECONDS = 0.15
_NEED_JOBS = ("open", "gantt", "preview", "compare")


class ArchiveScreen(LiveScreen):
    """Never calls a broken archive empty: the verdict stands above the jobs."""

    CSS_PATH = INNER_CSS
    HELP_TEXT = (
        "An archive made by flux dump. The verdict says whether it is complete and how far it "
        "was verified: L0 size, L1 checksum, L2 structure and counts, L3 opened by Flux itself."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "job", id="archive.open", key_display="↵"),
        Binding("g", "gantt", "nodes", id="archive.gantt", tooltip="Nodes over time"),
        Binding("v", "preview", "preview", id="archive.preview", tooltip="What a restore would do"),
        Binding("w", "compare", "compare", id="archive.compare", tooltip="What differs from …"),
        Binding("r", "again", "read again", id="archive.again"),
        Binding("escape", "leave", "back", id="archive.back", key_display="esc"),
    ]

    def __init__(
        self,
        services: Services,
        name: str,
        load: Load,
        *,
        ref: ClusterRef | None = None,
        path: Path | None = None,
    ) -> None:
        super().__init__(services)
        self.archive_name = name
        self.opened: Opened | None = None
        self._load = load
        self._ref = ref
        self._path = path
        self._reading: Reading | None = None
        self._redraw: Timer | None = None
        self._answer = ""
        self.table: Table[int, Job] = Table(
            JOB_COLUMNS,
            JOB_FIELDS,
            now=self._archive_now,
            reverse=True,
            natural=activity,
            still=True,
            remembered=services.memory.table("archive-jobs").without_filter(),
        )

    @classmethod
    def of_file(cls, services: Services, path: Path) -> ArchiveScreen:
        """A local file."""
        return cls(services, path.name, lambda reading: read_file(path, reading), path=path)

    def body(self) -> Iterable[Widget]:
        """Verdict, facts, jobs, and what is wrong."""
        yield Line(id="verdict", classes="summary")
        yield Line(id="archive-facts", classes="summary")
        yield self.table
        yield Panel(id="findings", classes="findings")

    def crumbs(self) -> list[str]:
        """The archive's name."""
        return [self.archive_name]

    def freshness_parts(self) -> list[Part]:
        """An archive does not change: it says when it was dumped."""
        return [("archive", "$muted")] if self.opened is None else self.opened.dumped_parts()

    def on_mount(self) -> None:
        """Read it."""
        super().on_mount()
        self.query_one("#findings").display = False
        self.table.grid.focus()
        self._redraw = self.set_interval(_REDRAW_SECONDS, self._show_progress, pause=True)
        self.action_again()

    def on_unmount(self) -> None:
        """Nobody waits for it any more."""
        super().on_unmount()
        if self._reading is not None:
            self._reading.stop()
        opened, self.opened = self.opened, None
        if opened is not None and self._path is not None and len(opened.jobs) > MANY_OBJECTS:
            # Nobody else has what this screen read itself. One of a catalog is kept for later.
            asyncio.get_running_loop().run_in_executor(None, let_go_of, opened)

    def tick(self) -> None:
        """Nothing in an archive grows older."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What needs jobs is grey without them; reading again is only for what was not read.

        While it is read the keys answer that it is.
        """
        if action == "again":
            return self.opened is None and self._reading is None
        if action in _NEED_JOBS and self._reading is None:
            return True if self.opened is not None and self.opened.jobs else None
        return True

    def why_grey(self, action: str) -> str:
        """What needs jobs is grey without them."""
        if action not in _NEED_JOBS:
            return ""
        return "There is no job in it." if self.opened is not None else "It could not be read."

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Show that job."""
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        """Show the job under the cursor, as it was dumped."""
        key = self.table.grid.cursor_key
        opened = self._when_read("A job opens")
        if opened is not None and key is not None:
            push_job(self, self.services, opened, key)

    def action_gantt(self) -> None:
        """Nodes over time."""
        opened = self._when_read("The chart opens")
        if opened is not None:
            from fluxstate_tui.tui.screens.archive.gantt import GanttScreen

            self.app.push_screen(GanttScreen(self.services, opened))

    def action_preview(self) -> None:
        """What a restore of it would do."""
        opened = self._when_read("The preview opens")
        if opened is not None:
            from fluxstate_tui.tui.screens.archive.preview import PreviewScreen

            self.app.push_screen(PreviewScreen(self.services, opened))

    def action_compare(self) -> None:
        """Choose another archive or a live queue, and see what differs."""
        opened = self._when_read("The comparison opens")
        if opened is not None:
            from fluxstate_tui.tui.screens.archive.diff import choose_other

            choose_other(self, self.services, opened)

    def action_again(self) -> None:
        """Read it, again if it was cancelled."""
        self._reading, self._answer = Reading(), ""
        self.table.say_when_empty("Reading the archive …")
        self._show_progress()
        in_background(self, self._read)
        self.refresh_bindings()

    def action_leave(self) -> None:
        """Stop reading; else back, or out when there is nothing behind it."""
        if self._reading is not None and not self._reading.stopped():
            self._reading.stop()
        elif len(self.app.screen_stack) > 1:
            self.app.pop_screen()
        else:
            self.app.exit()

    def _when_read(self, what: str) -> Opened | None:
        """The archive; None while it is still read, and the user is told what the key waits for."""
        if self._reading is not None:
            self._answer = f"{what} when it is read; esc cancels."
            self._show_progress()
            return None
        return self.opened

    def _show_progress(self) -> None:
        if self._reading is None:
            return
        if self._answer:
            self.query_one("#archive-facts", Line).say([(self._answer, "$state-warn")])
        if self._redraw is not None:
            self._redraw.resume()
        self.query_one("#verdict", Line).say(progress_parts(self._reading))

    async def _read(self) -> None:
        reading = self._reading
        assert reading is not None
        try:
            opened = await self._opened(reading)
            await self.table.show_in_thread(opened.jobs)
        except FluxstateError as error:
            self._show_trouble(error)
        else:
            self._show(opened)
        finally:
            self._reading = None
            if self._redraw is not None:
                self._redraw.pause()
        self.refresh_bindings()

    async def _opened(self, reading: Reading) -> Opened:
        verdict = await self._load(reading)
        opened = await reading.in_thread(
            lambda: prepare(self.archive_name, verdict, self._ref, self._path)
        )
        reading.go_on()
        return opened

    def _show_trouble(self, error: FluxstateError) -> None:
        self.query_one("#verdict", Line).say([(f"✗ {error.message}", "$state-bad")])
        self.query_one("#archive-facts", Line).say([])
        self.table.say_when_empty("\n".join((*trouble_rows(error), "r reads it again.")))

    def _show(self, opened: Opened) -> None:
        self.opened = opened
        verdict, wide = opened.verdict, self.size.width >= 100
        self.query_one("#verdict", Line).say(verdict_parts(verdict, wide=wide))
        self.query_one("#archive-facts", Line).say(
            count_parts(opened), identity_parts(verdict.archive, wide=wide)
        )
        findings = self.query_one("#findings", Panel)
        findings.say(finding_rows(opened))
        findings.display = bool(verdict.findings)
        self.table.say_when_empty(_why_no_jobs(verdict.kind))
        self.show_header()

    def _archive_now(self) -> float:
        if self.opened is not None and self.opened.verdict.archive.dumped_at:
            return self.opened.verdict.archive.dumped_at
        return self.services.clock.now()


def _why_no_jobs(kind: Kind) -> str:
    if kind.good:
        return "The archive holds no job."
    if kind is Kind.NOT_AN_ARCHIVE:
        return "This is no archive of flux dump.\nOpen a file that `flux dump` wrote."
    return "No job could be read from it.\nA restore would fail, or start an empty queue."
