"""Which job holds which cores: pure arithmetic and text for the map of nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fluxstate_tui.model import idset
from fluxstate_tui.model.job import Job
from fluxstate_tui.model.jobid import f58
from fluxstate_tui.model.queue import Node
from fluxstate_tui.widgets.line import Part
from fluxstate_tui.widgets.tones import color
from fluxstate_tui.widgets.words import Word

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
