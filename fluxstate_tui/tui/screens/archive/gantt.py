"""The whole archive as nodes over time: what ran where and when, and what was under the cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from fluxstate_tui.archive import timeline
from fluxstate_tui.archive.job_map import without_collector
from fluxstate_tui.archive.progress import Reading, ReadingCancelledError
from fluxstate_tui.archive.timeline import Interval, Node, occupancy, release_nodes
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.formatting import duration, moment, plural
from fluxstate_tui.tui.screens.archive.opened import Opened, push_job
from fluxstate_tui.tui.screens.base import LiveScreen
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.theme import INNER_CSS, color
from fluxstate_tui.tui.widgets.gantt import GanttChart, span_text
from fluxstate_tui.tui.widgets.inputs import in_background
from fluxstate_tui.tui.widgets.job_words import job_word
from fluxstate_tui.tui.widgets.lines import Line, Panel, Part, Row

_LISTED_SHORT, _LISTED = 3, 8


@dataclass(frozen=True, slots=True)
class _Chart:
    nodes: tuple[Node, ...]
    begin: float
    whole: float
    ran: int


class GanttScreen(LiveScreen):
    """Reads nothing: all is in the opened archive."""

    CSS_PATH = INNER_CSS
    HELP_TEXT = (
        "Nodes over time. A bar is a job, with how it ended and its name; a number is how many "
        "short jobs are in one cell. A node that ran several jobs at once is one line of columns "
        "that show how full it was, or one line per lane when unfolded. Green: nothing went "
        "wrong; yellow: some jobs did; red: most did. Times count from the first submission."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "job", id="archive-gantt.open", key_display="↵"),
        Binding("escape,g", "app.pop_screen", "back", id="archive-gantt.back", key_display="esc"),
    ]

    def __init__(self, services: Services, opened: Opened) -> None:
        super().__init__(services)
        self.opened = opened
        self.chart = GanttChart()
        self._drawn: _Chart | None = None
        self._reading = Reading()

    def body(self) -> Iterable[Widget]:
        """What is shown, the chart, and the jobs under the cursor."""
        yield Line(id="gantt-span", classes="summary")
        yield self.chart
        yield Panel(id="gantt-jobs", classes="under-cursor")

    def crumbs(self) -> list[str]:
        """The archive, then this."""
        return [self.opened.name, "nodes"]

    def freshness_parts(self) -> list[Part]:
        """When it was dumped, and whether it is whole."""
        return self.opened.dumped_parts()

    def tick(self) -> None:
        """Nothing in an archive grows older."""

    def on_mount(self) -> None:
        """Lay the jobs out in a thread."""
        super().on_mount()
        self.chart.focus()
        self._say_span([("laying out the jobs …", "$muted")])
        in_background(self, self._lay_out)

    def on_gantt_chart_moved(self, event: GanttChart.Moved) -> None:
        """Another cell: other jobs."""
        event.stop()
        if self._drawn is not None:
            self._show_where(self._drawn)

    def on_gantt_chart_opened(self, event: GanttChart.Opened) -> None:
        """Show the job."""
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        """Show the first job under the cursor."""
        _, found = self.chart.under_cursor()
        if found:
            push_job(self, self.services, self.opened, found[0].job.id)

    def on_unmount(self) -> None:
        """Let a million bars go without a halt."""
        super().on_unmount()
        self._reading.stop()
        drawn, self._drawn = self._drawn, None
        if drawn is not None:
            asyncio.get_running_loop().run_in_executor(None, release_nodes, drawn.nodes)

    async def _lay_out(self) -> None:
        try:
            drawn = await self._reading.in_thread(lambda: lay_out(self.opened, self._reading.go_on))
        except ReadingCancelledError:
            return
        if not self.ready:
            return
        self._drawn = drawn
        self.chart.show(drawn.nodes, drawn.whole)
        self._show_where(drawn)

    def _show_where(self, drawn: _Chart) -> None:
        total = len(self.opened.jobs)
        if not drawn.ran:
            said = "No job of it ever ran." if total else "The archive holds no job."
            self._say_span([(said, "$muted")])
            return
        view = self.chart.view
        shown = span_text(drawn.whole)
        if view.zoomed:
            shown = f"{span_text(view.begin)} – {span_text(view.end)} of {shown}"
        never = f", {total - drawn.ran} never ran" if total > drawn.ran else ""
        self._say_span(
            [
                (f"{plural(drawn.ran, 'job')} on {plural(len(drawn.nodes), 'node')}{never}", ""),
                (f"  from {moment(drawn.begin)}  ", "$muted"),
                (shown, "$accent"),
            ]
        )
        self.query_one("#gantt-jobs", Panel).say(self._cursor_rows(drawn))

    def _say_span(self, parts: list[Part]) -> None:
        self.query_one("#gantt-span", Line).say(parts)

    def _cursor_rows(self, drawn: _Chart) -> list[Row]:
        node, view = self.chart.node, self.chart.view
        number, found = self.chart.under_cursor()
        most = _LISTED_SHORT if self.size.height < 30 else _LISTED
        begin, _ = view.cell(view.column(self.chart.at))
        title: Row = (
            (node.host if node else "", "$foreground bold"),
            (f"  at {span_text(begin)}", "$accent"),
            (f" (one cell is {duration(view.step)})  ", "$muted"),
            (plural(number, "job") if number else "nothing ran", ""),
        )
        rows = [title, *(_job_row(one, drawn.begin) for one in found[:most])]
        if number > most:
            rows.append(((f"… and {number - most} more: + zooms in", "$muted"),))
        return [*rows, *[(("", ""),)] * (most + 2 - len(rows))]


def lay_out(opened: Opened, go_on: Callable[[], None]) -> _Chart:
    """The bars of all jobs. May run in a thread; `go_on` raises when nobody waits any more."""
    archive = opened.verdict.archive
    jobs = opened.jobs.values()
    now = archive.dumped_at or max((job.t_inactive or job.t_submit for job in jobs), default=0.0)
    hosts = archive.resources.nodelist if archive.resources is not None else ""
    with without_collector(len(opened.jobs)):
        begin, end = timeline.span(jobs, now) or (0.0, 0.0)
        nodes = occupancy(timeline.gantt(jobs, hosts, go_on), begin, now)
    ran = sum(1 for job in jobs if job.t_run is not None)
    return _Chart(nodes, begin, end - begin, ran)


def _job_row(interval: Interval, origin: float) -> Row:
    job = interval.job
    word = job_word(job)
    lasted = duration(interval.end - interval.begin) if interval.end is not None else "still ran"
    return (
        (f"{word!s:<12}", color(word.tone)),
        (f"{f58(job.id):<13} ", "$accent"),
        (f"{job.name[:40]}  ", "$foreground bold"),
        (f"{span_text(max(0.0, interval.begin - origin))} +{lasted}", "$muted"),
    )
