"""One job: what it asks for, the timeline of its life, its events and its output, live."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.model.jobid import f58
from fluxstate_tui.screens.actions import JobDetail
from fluxstate_tui.screens.job_life import life_rows
from fluxstate_tui.screens.job_rows import (
    event_rows,
    fact_rows,
    head_parts,
    output_rows,
)
from fluxstate_tui.screens.job_source import JobSource, LiveJob
from fluxstate_tui.screens.live import LiveScreen
from fluxstate_tui.screens.services import Services
from fluxstate_tui.store import Changes
from fluxstate_tui.widgets.background import in_background
from fluxstate_tui.widgets.line import Line, Part
from fluxstate_tui.widgets.panel import Panel

REREAD_SECONDS = 3


class JobScreen(LiveScreen):
    """Reads the details when it opens, when the job changes, and while it runs."""

    CSS_PATH = "inner.tcss"
    HELP_TEXT = (
        "One job. The bar is its life from submission to its end, with what each state took; "
        "▲ marks exceptions. Events are counted in seconds since it was submitted. Output of a "
        "running job is read again every few seconds."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "cancel", "cancel job", id="job.cancel"),
        Binding("escape", "app.pop_screen", "back", id="job.back", key_display="esc"),
    ]

    def __init__(self, services: Services, source: JobSource) -> None:
        super().__init__(services)
        self.source = source
        self._detail: JobDetail | None = None
        self._ticks = 0

    def body(self) -> Iterable[Widget]:
        """Head line, and everything else in one scrolling column."""
        yield Line(id="job-head", classes="summary")
        with_scroll = VerticalScroll(
            Panel(id="job-facts"),
            Panel(id="job-life", classes="block"),
            Panel(id="job-output", classes="block"),
            Panel(id="job-events", classes="block"),
            id="job-scroll",
        )
        yield with_scroll

    def crumbs(self) -> list[str]:
        """Cluster or archive, then the job."""
        job = self.source.job()
        return [self.source.place, f58(job.id) if job is not None else "job"]

    def freshness_parts(self) -> list[Part]:
        """How fresh the queue is; a job of an archive stays as it was dumped."""
        if isinstance(self.source, LiveJob):
            return super().freshness_parts()
        return [("as it was dumped", "$muted")]

    def on_mount(self) -> None:
        """Read the details."""
        super().on_mount()
        self.query_one("#job-scroll").focus()
        self._reread()

    def show_all(self) -> None:
        """The job as it is now."""
        job = self.source.job()
        if job is None:
            self.query_one("#job-head", Line).say([("This job is not known any more.", "$muted")])
            return
        detail, now = self._detail, self.source.now()
        self.query_one("#job-head", Line).say(head_parts(job, now))
        self.query_one("#job-facts", Panel).say(fact_rows(job, detail))
        if detail is None:
            self.query_one("#job-life", Panel).say([[("Reading …", "$muted")]])
            return
        if detail.trouble:
            self.query_one("#job-output", Panel).say([[(detail.trouble, "$state-warn")]])
        width = max(8, min(100, self.size.width - 4))
        lines = life_rows(job, detail.events, now, width)
        self.query_one("#job-life", Panel).say(lines, "LIFE")
        if not detail.trouble or detail.output:
            output = output_rows(detail) or [(("No output.", "$muted"),)]
            self.query_one("#job-output", Panel).say(output, "OUTPUT")
        self.query_one("#job-events", Panel).say(event_rows(detail.events), "EVENTS")

    def show_changes(self, changes: Changes) -> None:
        """Read again when this job changed."""
        if isinstance(self.source, LiveJob) and self.source.ref.uid in changes.jobs:
            ids = changes.jobs[self.source.ref.uid]
            if ids is None or self.source.id in ids:
                self.show_all()
                self._reread()

    def tick(self) -> None:
        """A running job grows older, and writes."""
        super().tick()
        job = self.source.job()
        if job is not None and job.state.running and isinstance(self.source, LiveJob):
            self._ticks += 1
            if self._ticks % REREAD_SECONDS == 0:
                self._reread()
            self.show_all()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only a live job that is not over can be cancelled."""
        if action != "cancel":
            return True
        if not isinstance(self.source, LiveJob):
            return False
        job = self.source.job()
        over = job is None or not (job.state.pending or job.state.running)
        return None if over or self.services.read_only else True

    def action_cancel(self) -> None:
        """Ask whether this job shall be cancelled."""
        from fluxstate_tui.screens.job_dialog import cancel_jobs

        job = self.source.job()
        if isinstance(self.source, LiveJob) and job is not None:
            cancel_jobs(self.app, self.services, self.source.ref, (job,))

    def _reread(self) -> None:
        in_background(self, self._read, "detail")

    async def _read(self) -> None:
        try:
            self._detail = await self.source.detail()
        except FluxstateError as error:
            known = self._detail or JobDetail()
            self._detail = JobDetail(known.events, known.jobspec, known.output, error.message)
        self.show_all()
