"""One job: what it asks for, the timeline of its life, its events and its output, live."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.model.job import Job, JobState
from fluxstate_tui.model.jobid import f58
from fluxstate_tui.screens.actions import JobDetail
from fluxstate_tui.screens.job_keys import JobKeys
from fluxstate_tui.screens.job_life import life_rows
from fluxstate_tui.screens.job_output import OutputTail
from fluxstate_tui.screens.job_rows import (
    event_rows,
    fact_rows,
    head_parts,
)
from fluxstate_tui.screens.job_source import JobSource, LiveJob
from fluxstate_tui.screens.live import LiveScreen
from fluxstate_tui.screens.services import Services
from fluxstate_tui.store import Changes
from fluxstate_tui.widgets.background import in_background
from fluxstate_tui.widgets.line import Line, Part
from fluxstate_tui.widgets.panel import Panel

if TYPE_CHECKING:
    from fluxstate_tui.model.reference import ClusterRef

FOLLOW_AGAIN = 3.0
PAINT_OUTPUT = 0.2


class JobScreen(JobKeys, LiveScreen):
    """Reads the details when it opens and when the job changes; follows its output."""

    CSS_PATH = "inner.tcss"
    HELP_TEXT = (
        "One job. The bar is its life from submission to its end, with what each state took; "
        "▲ marks exceptions. Events are counted in seconds since it was submitted. Output comes as "
        "it is written; f goes to its end and stays there until you scroll up."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "menu", "actions", id="job.menu"),
        Binding("c", "cancel", "cancel job", id="job.cancel"),
        Binding("h", "hold", "hold/release", id="job.hold"),
        Binding("f", "follow", "follow output", id="job.follow"),
        Binding("escape", "app.pop_screen", "back", id="job.back", key_display="esc"),
    ]

    def __init__(self, services: Services, source: JobSource) -> None:
        super().__init__(services)
        self.source = source
        self._detail: JobDetail | None = None
        self._tail: OutputTail | None = None
        self._output_dirty = False

    def body(self) -> Iterable[Widget]:
        """Head line, and everything else in one scrolling column."""
        yield Line(id="job-head", classes="summary")
        with_scroll = VerticalScroll(
            Panel(id="job-facts"),
            Panel(id="job-life", classes="block"),
            Panel(id="job-events", classes="block"),
            Panel(id="job-trouble"),
            Panel(id="job-output", classes="block"),
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
        in_background(self, self._follow, "output")
        self.set_interval(PAINT_OUTPUT, self._show_output)

    def show_all(self) -> None:
        """The job as it is now."""
        job = self.source.job()
        if job is None:
            self.query_one("#job-head", Line).say([("This job is not known any more.", "$muted")])
            return
        detail, now = self._detail, self.source.now()
        waits = self.source.waits()
        self.query_one("#job-head", Line).say(head_parts(job, now, waits))
        self.query_one("#job-facts", Panel).say(fact_rows(job, detail, waits))
        if detail is None:
            self.query_one("#job-life", Panel).say([[("Reading …", "$muted")]])
            return
        trouble = self.query_one("#job-trouble", Panel)
        trouble.display = bool(detail.trouble)
        trouble.say([[(detail.trouble, "$state-warn")]])
        width = max(8, min(100, self.size.width - 4))
        lines = life_rows(job, detail.events, now, width)
        self.query_one("#job-life", Panel).say(lines, "LIFE")
        self.query_one("#job-events", Panel).say(event_rows(detail.events), "EVENTS")

    def show_changes(self, changes: Changes) -> None:
        """Read again when this job changed."""
        if isinstance(self.source, LiveJob) and self.source.ref.uid in changes.jobs:
            ids = changes.jobs[self.source.ref.uid]
            if ids is None or self.source.id in ids:
                self.show_all()
                self._reread()

    def tick(self) -> None:
        """A running job grows older, and a waiting one comes nearer to its turn."""
        super().tick()
        job = self.source.job()
        over = job is None or job.state is JobState.INACTIVE
        if not over and isinstance(self.source, LiveJob):
            self.show_all()

    @property
    def acts_on(self) -> ClusterRef | None:
        """The MiniCluster of a live job; a job of an archive stays as it is."""
        return self.source.ref if isinstance(self.source, LiveJob) else None

    def job_targets(self) -> tuple[Job, ...]:
        """This job."""
        job = self.source.job()
        return (job,) if job is not None else ()

    def action_follow(self) -> None:
        """To the end of the output, and stay there until somebody scrolls up."""
        self.query_one("#job-scroll", VerticalScroll).anchor()

    def _reread(self) -> None:
        in_background(self, self._read, "detail")

    async def _read(self) -> None:
        try:
            self._detail = await self.source.detail()
        except FluxstateError as error:
            known = self._detail or JobDetail()
            self._detail = replace(known, trouble=error.message)
        self._output_dirty = True
        self.show_all()

    async def _follow(self) -> None:
        """Until the job has ended; a lost stream is taken up again, from the begin."""
        while True:
            try:
                following = self.source.follow()
                if following is None:
                    return
                async with following as pieces:
                    tail = OutputTail()
                    async for some in pieces:
                        tail.add(some)
                        self._tail, self._output_dirty = tail, True
                return
            except FluxstateError:
                # What was read with the details is shown meanwhile; the header says what is lost.
                await self.services.clock.sleep(FOLLOW_AGAIN)

    def _show_output(self) -> None:
        """A few times a second at most, however fast it is written."""
        if not self._output_dirty or self._detail is None or not self.seen:
            return
        self._output_dirty = False
        tail = self._tail
        if tail is None:
            tail = OutputTail()
            tail.add(self._detail.output)
        rows = tail.rows()
        if not rows and self._detail.trouble:
            return
        self.query_one("#job-output", Panel).say(rows or [(("No output.", "$muted"),)], "OUTPUT")
