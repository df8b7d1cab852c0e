"""The nodes of one MiniCluster as a map: which job holds which cores."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll

from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.screens.glance import (
    broken_rows,
    graph_parts,
    outlook_parts,
    throughput_parts,
)
from fluxstate_tui.screens.node_map import (
    HUES,
    Load,
    compact_cell,
    loads,
    node_row,
)
from fluxstate_tui.screens.services import Services
from fluxstate_tui.screens.views.view import View
from fluxstate_tui.store import Changes
from fluxstate_tui.store.outlook import run_times, throughput, until_idle
from fluxstate_tui.store.picture import ClusterPicture
from fluxstate_tui.widgets.line import Line, Part
from fluxstate_tui.widgets.panel import Panel
from fluxstate_tui.widgets.spark import bar
from fluxstate_tui.widgets.words import age, plural

TIMES_EVERY = 10.0
MEDIUM = 14
LEGEND = "■ full   ◧ partly   □ free   ▽ drained   ✗ lost   ○ no pod"


class NodesView(View):
    """One line per node while they fit, else one glyph per node."""

    label = "Nodes"

    def __init__(self, services: Services, ref: ClusterRef) -> None:
        super().__init__(services, ref)
        self._times: dict[str, float] = {}
        self._times_at = float("-inf")

    def compose(self) -> ComposeResult:
        """Totals and the outlook above the map."""
        yield Line(id="nodes-line", classes="summary")
        yield Panel(id="nodes-glance")
        with VerticalScroll(id="nodes-scroll"):
            yield Panel(id="nodes-map")

    def show_all(self) -> None:
        """The map as it is now."""
        picture = self.picture
        if picture is None:
            return
        panel = self.query_one("#nodes-map", Panel)
        summary = self.services.store.summaries.get(self.ref.uid)
        gone = summary is not None and summary.deleted
        if gone or not picture.nodes:
            self.query_one("#nodes-line", Line).say([])
            self.query_one("#nodes-glance", Panel).say([])
            why = summary.reason if summary else ""
            head = "No nodes." if gone else "The nodes are not known yet."
            panel.say([[(head, "$muted")], [(why, "$muted")]])
            return
        running = [job for job in picture.active.values() if job.state.running]
        found = loads(picture.nodes, running, picture.minicluster.size)
        hues = {job.id: HUES[n % len(HUES)] for n, job in enumerate(running)}
        self._say_totals(found)
        self._say_glance(picture, found)
        panel.say(self._rows(found, hues))

    def show_changes(self, changes: Changes) -> None:
        """Jobs came or went, or a node did."""
        uid = self.ref.uid
        if uid in changes.jobs or uid in changes.queues or uid in changes.summaries:
            self.show_all()

    def tick(self) -> None:
        """Time passed: what is left is less."""
        picture = self.picture
        summary = self.services.store.summaries.get(self.ref.uid)
        gone = summary is not None and summary.deleted
        if summary is not None and summary.queue_since is not None:
            self.show_all()  # it is as old as it says
        elif picture is not None and picture.nodes and not gone:
            self._say_glance(picture, loads(picture.nodes, (), picture.minicluster.size))

    def on_resize(self) -> None:
        """Another width, another map."""
        self.show_all()

    def take_focus(self) -> None:
        """Keys scroll the map."""
        self.query_one("#nodes-scroll").focus()

    def _rows(self, found: list[Load], hues: dict[int, str]) -> list[list[Part]]:
        width, height = self.size.width - 2, max(1, self.size.height - 1)
        if len(found) <= max(height, 16):
            cores = min(max(load.node.cores for load in found), max(4, width // 4))
            host = min(max(len(load.node.host) for load in found), max(8, width // 4))
            return [node_row(load, hues, cores, host) for load in found]
        per_row = max(8, (width - 8) // 2)
        rows: list[list[Part]] = [[(LEGEND, "$muted")], [("", "")]]
        for start in range(0, len(found), per_row):
            row: list[Part] = [(f"{found[start].node.rank:>6}  ", "$muted")]
            for load in found[start : start + per_row]:
                row += [compact_cell(load), (" ", "")]
            rows.append(row)
        return rows

    def _say_totals(self, found: list[Load]) -> None:
        cores = sum(load.node.cores for load in found if load.wanted or load.node.up)
        busy = sum(load.busy for load in found)
        up = sum(load.node.up for load in found)
        wanted = sum(load.wanted or load.node.up for load in found)
        share = busy / cores if cores else 0.0
        self.query_one("#nodes-line", Line).say(
            [
                *self._how_old(),
                (f"{up} of {plural(wanted, 'node')} up  ", ""),
                (bar(share, 8 if self.size.width < 100 else 16), "$state-busy"),
                (f"  {busy} of {cores} cores busy", ""),
            ]
        )

    def _how_old(self) -> list[Part]:
        """When it was read, if it is not live."""
        summary = self.services.store.summaries.get(self.ref.uid)
        if summary is None or summary.queue_since is None:
            return []
        seconds = self.services.clock.now() - summary.queue_since
        return [(f"as of {age(seconds)} ago  ", "$state-warn")]

    def _say_glance(self, picture: ClusterPicture, found: list[Load]) -> None:
        """Throughput, outlook, and what is broken."""
        now = self.services.clock.now()
        if now >= self._times_at + TIMES_EVERY:
            self._times, self._times_at = run_times(picture.jobs.values()), now
        started = not picture.queues or any(queue.started for queue in picture.queues)
        cores = sum(load.node.cores for load in found if load.node.up and not load.node.drained)
        jobs = [job for job in picture.active.values() if started or job.state.running]
        outlook = until_idle(jobs, self._times, cores, picture.cluster_now(now))
        graphs = graph_parts(picture, self.size.width - 24)
        self.query_one("#nodes-glance", Panel).say(
            [
                *([graphs] if graphs and self.size.height >= MEDIUM else []),
                throughput_parts(throughput(picture)),
                outlook_parts(outlook, started),
                *broken_rows(picture.nodes, picture.minicluster.size),
            ]
        )
