"""An archive opened without a cluster: its verdict, and its jobs in the same table as live ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.model.job import Job
from fluxstate_tui.screens.explanation import trouble_rows
from fluxstate_tui.screens.job_columns import JOB_COLUMNS, JOB_FIELDS, activity
from fluxstate_tui.screens.live import LiveScreen
from fluxstate_tui.screens.services import Services
from fluxstate_tui.store.picture import JobCounts
from fluxstate_tui.widgets.background import in_background
from fluxstate_tui.widgets.grid import Grid
from fluxstate_tui.widgets.line import Line, Part
from fluxstate_tui.widgets.panel import Panel
from fluxstate_tui.widgets.table import Table
from fluxstate_tui.widgets.words import moment, size

if TYPE_CHECKING:
    from fluxstate_tui.archive.verify import Verdict

Load = Callable[[], Awaitable["Verdict"]]


async def read_file(path: Path) -> Verdict:
    """Verify a local file away from the screen's own thread."""
    from fluxstate_tui.archive.verify import verify

    return await asyncio.to_thread(verify, path)


class ArchiveScreen(LiveScreen):
    """Never calls a broken archive empty: the verdict stands above the jobs."""

    CSS_PATH = "inner.tcss"
    HELP_TEXT = (
        "An archive made by flux dump. The verdict says whether it is complete and how far it "
        "was verified: L0 size, L1 checksum, L2 structure and counts, L3 opened by Flux itself."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "job", id="archive.open", key_display="↵"),
        Binding("escape", "leave", "back", id="archive.back", key_display="esc"),
    ]

    def __init__(self, services: Services, name: str, load: Load) -> None:
        super().__init__(services)
        self.archive_name = name
        self._load = load
        self._verdict: Verdict | None = None
        self.table: Table[int, Job] = Table(
            JOB_COLUMNS, JOB_FIELDS, now=self._archive_now, reverse=True, natural=activity
        )

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
        verdict = self._verdict
        if verdict is None or not verdict.archive.dumped_at:
            return [("archive", "$muted")]
        return [(f"dumped {moment(verdict.archive.dumped_at)}", "$muted")]

    def on_mount(self) -> None:
        """Read it."""
        super().on_mount()
        self.table.grid.focus()
        self.table.say_when_empty("Reading the archive …")
        in_background(self, self._read)

    def tick(self) -> None:
        """Nothing in an archive grows older."""

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Show that job."""
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        """Show the job under the cursor, as it was dumped."""
        key = self.table.grid.cursor_key
        archived = self._verdict.archive.job(key) if self._verdict and key is not None else None
        if archived is not None and self._verdict is not None:
            from fluxstate_tui.screens.job import JobScreen
            from fluxstate_tui.screens.job_source import JobOfArchive

            source = JobOfArchive(archived, self.archive_name, self._verdict.archive.dumped_at)
            self.app.push_screen(JobScreen(self.services, source))

    def action_leave(self) -> None:
        """Back, or out when there is nothing behind it."""
        if len(self.app.screen_stack) > 1:
            self.app.pop_screen()
        else:
            self.app.exit()

    async def _read(self) -> None:
        try:
            verdict = await self._load()
        except FluxstateError as error:
            self.query_one("#verdict", Line).say([(f"✗ {error.message}", "$state-bad")])
            self.table.say_when_empty("\n".join(trouble_rows(error)))
            return
        self._verdict = verdict
        self._show_verdict(verdict)
        jobs = {one.job.id: one.job for one in verdict.archive.jobs}
        good = verdict.kind.good
        self.table.say_when_empty(
            "The archive holds no job." if good else "No job could be read from it."
        )
        self.table.show(jobs)
        self.show_header()

    def _show_verdict(self, verdict: Verdict) -> None:
        archive = verdict.archive
        glyph, tone = ("✓", "$state-ok") if verdict.kind.good else ("✗", "$state-bad")
        self.query_one("#verdict", Line).say([(f"{glyph} {verdict.sentence()}", tone)])
        counts = JobCounts()
        counts.recount(one.job for one in archive.jobs)
        facts: list[Part] = [
            (f"{counts.pending} ", "$state-wait"),
            ("pending  ", "$muted"),
            (f"{counts.running} ", "$state-busy"),
            ("running  ", "$muted"),
            (f"{counts.done} ", "$state-ok"),
            ("done  ", "$muted"),
            (f"{counts.failed} ", "$state-bad"),
            ("failed  ", "$muted"),
        ]
        right: list[Part] = [(f"{size(archive.size)}  sha256 {archive.sha256[:12]}", "$muted")]
        self.query_one("#archive-facts", Line).say(facts, right)
        self.query_one("#findings", Panel).say(
            [
                [
                    (f"✗ {finding.kind.value} ", "$state-bad"),
                    (f"{finding.place}: ", "$muted"),
                    (finding.message, ""),
                ]
                for finding in verdict.findings[:20]
            ]
        )

    def _archive_now(self) -> float:
        if self._verdict is not None and self._verdict.archive.dumped_at:
            return self._verdict.archive.dumped_at
        return self.services.clock.now()
