"""The nodes of one MiniCluster as a map: which job holds which cores."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll

from fluxstate_tui.model.job import Job
from fluxstate_tui.screens.node_map import (
    HUES,
    Load,
    compact_cell,
    loads,
    node_row,
    node_word,
    until_idle,
)
from fluxstate_tui.screens.views.view import View
from fluxstate_tui.store import Changes
from fluxstate_tui.widgets.line import Line, Part
from fluxstate_tui.widgets.panel import Panel
from fluxstate_tui.widgets.spark import bar
from fluxstate_tui.widgets.words import plural

LEGEND = "■ full   ◧ partly   □ free   ▽ drained   ✗ lost"


class NodesView(View):
    """One line per node while they fit, else one glyph per node."""

    label = "Nodes"

    def compose(self) -> ComposeResult:
        """A line of totals above the map."""
        yield Line(id="nodes-line", classes="summary")
        with VerticalScroll(id="nodes-scroll"):
            yield Panel(id="nodes-map")

    def show_all(self) -> None:
        """The map as it is now."""
        picture = self.picture
        if picture is None:
            return
        panel = self.query_one("#nodes-map", Panel)
        if not picture.nodes:
            summary = self.services.store.summaries.get(self.ref.uid)
            self.query_one("#nodes-line", Line).say([])
            why = summary.reason if summary else ""
            panel.say([[("The nodes are not known yet.", "$muted")], [(why, "$muted")]])
            return
        running = [job for job in picture.jobs.values() if job.state.running]
        found = loads(picture.nodes, running)
        hues = {job.id: HUES[n % len(HUES)] for n, job in enumerate(running)}
        self._say_totals(found, running)
        panel.say(self._rows(found, hues))

    def show_changes(self, changes: Changes) -> None:
        """Jobs came or went, or a node did."""
        uid = self.ref.uid
        if uid in changes.jobs or uid in changes.queues or uid in changes.summaries:
            self.show_all()

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
        return rows + _bad_nodes(found)

    def _say_totals(self, found: list[Load], running: list[Job]) -> None:
        cores = sum(load.node.cores for load in found)
        busy = sum(load.busy for load in found)
        up = sum(load.node.up for load in found)
        share = busy / cores if cores else 0.0
        now = self.services.clock.now()
        picture = self.picture
        idle = until_idle(running, picture.cluster_now(now) if picture else now)
        self.query_one("#nodes-line", Line).say(
            [
                (f"{up} of {plural(len(found), 'node')} up  ", ""),
                (bar(share, 8 if self.size.width < 100 else 16), "$state-busy"),
                (f"  {busy} of {cores} cores busy", ""),
            ],
            [(idle, "$muted")],
        )


def _bad_nodes(found: list[Load]) -> list[list[Part]]:
    rows: list[list[Part]] = []
    for load in found:
        word = node_word(load.node)
        if word.tone != "ok":
            rows.append(
                [
                    (f"{word} ", f"$state-{word.tone}"),
                    (f"rank {load.node.rank} {load.node.host} {load.node.reason}", ""),
                ]
            )
    return [[("", "")], *rows] if rows else []
