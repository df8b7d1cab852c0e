"""The live queue of one MiniCluster."""

from __future__ import annotations

from typing import ClassVar

from msgspec.structs import replace
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from fluxstate_tui.flux.job import Job
from fluxstate_tui.live.freshness import queue_source
from fluxstate_tui.live.groups import Group, group_jobs
from fluxstate_tui.live.picture import ClusterPicture
from fluxstate_tui.live.store import Changes
from fluxstate_tui.live.summary import Summary
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.tui.screens.glance import graph_parts, queue_parts
from fluxstate_tui.tui.screens.jobs.actions import JobKeys
from fluxstate_tui.tui.screens.jobs.columns import (
    GROUP_COLUMNS,
    GROUP_FIELDS,
    GROUPINGS,
    JOB_COLUMNS,
    JOB_FIELDS,
    MORE_JOB_COLUMNS,
    activity,
    info_text,
)
from fluxstate_tui.tui.screens.minicluster.view import View
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.text import searchable
from fluxstate_tui.tui.widgets.grid import Column, Grid
from fluxstate_tui.tui.widgets.lines import Line, Part
from fluxstate_tui.tui.widgets.table import Table


class QueueView(JobKeys, View):
    """Jobs, newest first until sorted otherwise, and the queue in one line above them."""

    label = "Queue"
    BLANK = True  # its widgets cover it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "job", id="queue.open", key_display="↵"),
        Binding("a", "menu", "actions", id="queue.menu"),
        Binding("c", "cancel", "cancel job", id="queue.cancel"),
        Binding("h", "hold", "hold/release", id="queue.hold"),
        Binding("g", "group", "group", id="queue.group"),
    ]

    def __init__(self, services: Services, ref: ClusterRef) -> None:
        super().__init__(services, ref)
        self.table: Table[int, Job] = Table(
            (*(self._true_info(column) for column in JOB_COLUMNS), *MORE_JOB_COLUMNS),
            JOB_FIELDS,
            now=self._cluster_now,
            reverse=True,
            natural=activity,
            acted_on=True,
            remembered=services.memory.table("queue"),
        )
        self.groups: Table[str, Group] = Table(
            GROUP_COLUMNS, GROUP_FIELDS, order="jobs", reverse=True
        )
        self.grouped_by: str | None = None
        self._stopped: frozenset[str] = frozenset()

    def compose(self) -> ComposeResult:
        """The queue in a line, the jobs below."""
        yield Line(id="queue-line", classes="summary")
        yield self.table
        yield self.groups

    def on_mount(self) -> None:
        """Single jobs are shown until somebody groups them."""
        self.groups.display = False

    def show_all(self) -> None:
        """All jobs."""
        picture = self.picture
        self._stopped = stopped_queues(picture)
        self.table.show(picture.jobs if picture else {})
        self._show_groups()
        self._say()

    def show_changes(self, changes: Changes) -> None:
        """The jobs that changed; all when a queue was stopped or started."""
        if self.ref.uid in changes.queues and self._stopped != stopped_queues(self.picture):
            self.show_all()
        elif self.ref.uid in changes.jobs:
            ids = changes.jobs[self.ref.uid]
            if ids is None or (
                self.picture and self.table.grid.selection.rows is not self.picture.jobs
            ):
                self.show_all()
            else:
                self.table.patch(ids)
        self._say()

    def tick(self) -> None:
        """Running jobs grow older."""
        self.table.grid.tick()
        self._show_groups()
        self._say()

    def take_focus(self) -> None:
        """Keys go to the jobs, or to their groups."""
        (self.table if self.grouped_by is None else self.groups).grid.focus()

    def on_grid_marked(self, event: Grid.Marked) -> None:
        """Say how many jobs are meant now."""
        event.stop()
        self._say()
        self.screen.refresh_bindings()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Show that job."""
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        """Show the job under the cursor, or the jobs of the group under it."""
        if self.grouped_by is not None:
            self._open_group(self.grouped_by)
            return
        key = self.table.grid.cursor_key
        if key is not None:
            from fluxstate_tui.tui.screens.jobs.job import JobScreen, LiveJob

            self.app.push_screen(JobScreen(self.services, LiveJob(self.services, self.ref, key)))

    def action_group(self) -> None:
        """Count jobs by state, user, queue, name; after the last show single jobs again."""
        ways = [None, *GROUPINGS]
        self._group_by(ways[(ways.index(self.grouped_by) + 1) % len(ways)])

    def _group_by(self, way: str | None) -> None:
        self.grouped_by = way
        self.table.display, self.groups.display = way is None, way is not None
        self.groups.show({})
        self._show_groups()
        self._say()
        self.take_focus()

    def _open_group(self, way: str) -> None:
        name = self.groups.grid.cursor_key
        self._group_by(None)
        wanted = searchable(name or "")
        if wanted:
            self.table.filter(f'{way}:"{wanted}"')

    def _show_groups(self) -> None:
        """Once a second: it looks at every job."""
        if self.grouped_by is not None and self.picture is not None:
            self.groups.show(group_jobs(self.picture.jobs.values(), GROUPINGS[self.grouped_by]))

    @property
    def acts_on(self) -> ClusterRef:
        """This MiniCluster."""
        return self.ref

    def job_targets(self) -> tuple[Job, ...]:
        """The marked jobs, or the one under the cursor."""
        picture = self.picture
        key = self.table.grid.cursor_key
        if picture is None or key is None or self.grouped_by is not None:
            return ()
        ids = self.table.grid.marked or {key}
        jobs = (picture.jobs.get(job_id) for job_id in sorted(ids))
        return tuple(job for job in jobs if job is not None)

    def _true_info(self, column: Column[Job]) -> Column[Job]:
        """A job in a stopped queue does not wait for resources, whatever there is of them."""
        if column.key != "info":
            return column
        return replace(column, value=lambda job, _: info_text(job, job.queue in self._stopped))

    def _cluster_now(self) -> float:
        now = self.services.clock.now()
        picture = self.picture
        return picture.cluster_now(now) if picture else now

    def _say(self) -> None:
        picture = self.picture
        summary = self.services.store.summaries.get(self.ref.uid)
        if picture is None or summary is None:
            return
        now = self.services.clock.now()
        width = 30 if self.size.width >= 100 else 0
        marked = len(self.table.grid.marked)
        more: list[Part] = [(f"◆ {marked} marked  ", "$accent")] if marked else []
        more += [(f"by {self.grouped_by}", "$accent")] if self.grouped_by else []
        self.query_one("#queue-line", Line).say(
            queue_parts(picture, summary, now) + more, graph_parts(picture, width)
        )
        self.table.say_when_empty(self._why_empty(picture, summary))

    def _why_empty(self, picture: ClusterPicture, summary: Summary) -> str:
        if picture.jobs_at is not None:
            return "No job in this queue.\nn submits one."
        source = self.services.store.source(queue_source(self.ref.uid))
        if source is not None and source.detail:
            return f"The queue cannot be read: {source.detail}"
        return f"The queue is not known yet.\n{summary.reason}"


def stopped_queues(picture: ClusterPicture | None) -> frozenset[str]:
    """The names of the queues that start nothing; '' is the anonymous one."""
    queues = picture.queues if picture is not None else ()
    return frozenset(queue.name for queue in queues if not queue.started)
