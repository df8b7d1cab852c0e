"""The nodes of one MiniCluster as a map: which job holds which cores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import VerticalScroll

from fluxstate_tui.flux import idset
from fluxstate_tui.flux.job import Job
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.flux.queue import Node
from fluxstate_tui.formatting import Word, age, bar, plural
from fluxstate_tui.live.outlook import run_times, throughput, until_idle
from fluxstate_tui.live.picture import ClusterPicture
from fluxstate_tui.live.store import Changes
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.tui.screens.glance import (
    broken_rows,
    graph_parts,
    outlook_parts,
    throughput_parts,
)
from fluxstate_tui.tui.screens.minicluster.view import View
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.theme import color
from fluxstate_tui.tui.widgets.lines import Line, Panel, Part

# Which job holds which cores: pure arithmetic and text for the map of nodes.

HUES = ("$state-busy", "$state-ok", "$state-wait", "$state-warn", "$accent", "$state-bad")
UP = Word("●", "up", "ok")
DOWN = Word("✗", "lost", "bad")
NO_POD = Word("○", "no pod", "off")
DRAINED = Word("▽", "drained", "warn")


@dataclass(frozen=True, slots=True)
class Load:
    """One node and how many of its cores each job holds, in the order of their start.

    `wanted` is false for a rank above the MiniCluster's size: it may grow to it, but is not there.
    """

    node: Node
    held: tuple[tuple[Job, int], ...]
    wanted: bool = True

    @property
    def busy(self) -> int:
        """Cores that are held, never more than there are."""
        return min(self.node.cores, sum(cores for _, cores in self.held))


def node_word(load: Load) -> Word:
    """Up, drained, lost, or not there because nobody wants it yet."""
    if not load.node.up:
        return DOWN if load.wanted else NO_POD
    return DRAINED if load.node.drained else UP


def loads(nodes: Sequence[Node], running: Iterable[Job], size: int) -> list[Load]:
    """Share each running job's cores out over its ranks, evenly.

    `size` is the number of pods that the MiniCluster has now. Flux tells ranks and the number of
    cores of a job, not which cores: so does the map.
    """
    held: Mapping[int, list[tuple[Job, int]]] = defaultdict(list)
    for job in sorted(running, key=lambda job: job.t_run or 0.0):
        ranks = _ranks(job)
        for position, rank in enumerate(ranks):
            total = job.ncores if job.ncores is not None else len(ranks)
            share = total // len(ranks) + (position < total % len(ranks))
            held[rank].append((job, share))
    return [Load(node, tuple(held.get(node.rank, ())), node.rank < size) for node in nodes]


def node_row(load: Load, hues: Mapping[int, str], cores_width: int, host_width: int) -> list[Part]:
    """`0 flux-sample-0  ● up  ■■■■··  4/6  ƒabc sleep`."""
    node, word = load.node, node_word(load)
    row: list[Part] = [
        (f"{node.rank:>4}  ", "$muted"),
        (f"{node.host[:host_width]:<{host_width}}  ", ""),
        (f"{word!s:<10}", color(word.tone)),
        *_cells(load, hues, cores_width),
        (f"  {load.busy:>3}/{node.cores:<3}  ", "$muted"),
    ]
    if node.reason:
        row.append((f"{node.reason}  ", "$state-warn"))
    for job, cores in load.held:
        row += [("■ ", hues[job.id]), (f"{f58(job.id)} {job.name} ×{cores}  ", "")]
    return row


def compact_cell(load: Load) -> Part:
    """One node as one glyph, for clusters larger than the screen."""
    if not load.node.up:
        return ("✗", "$state-bad") if load.wanted else ("○", "$muted")
    if load.node.drained:
        return ("▽", "$state-warn")
    share = load.busy / load.node.cores if load.node.cores else 0.0
    if share == 0:
        return ("□", "$muted")
    return ("■", "$state-busy") if share > 0.99 else ("◧", "$state-busy")


def _cells(load: Load, hues: Mapping[int, str], width: int) -> list[Part]:
    cores = max(1, load.node.cores)
    scale = min(1.0, width / cores)
    parts: list[Part] = []
    used = 0
    for job, held in load.held:
        count = min(max(1, round(held * scale)), max(0, round(cores * scale) - used))
        parts.append(("■" * count, hues[job.id]))
        used += count
    free = max(0, round(cores * scale) - used)
    parts.append(("·" * free, "$muted"))
    return [*parts, (" " * max(0, width - used - free), "")]


def _ranks(job: Job) -> tuple[int, ...]:
    try:
        return idset.decode(job.ranks)
    except ValueError:
        return ()


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
