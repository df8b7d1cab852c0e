"""One line of a Gantt chart as pieces of text with a tone; nothing here knows a terminal."""

from __future__ import annotations

from dataclasses import dataclass

from fluxstate_tui.archive.occupancy import Lane, Node
from fluxstate_tui.archive.timeline import Interval
from fluxstate_tui.widgets.gantt_view import View
from fluxstate_tui.widgets.job_words import job_word
from fluxstate_tui.widgets.plain import fit

_HEIGHTS = "▁▂▃▄▅▆▇█"
_EMPTY = "·"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some cells of a line. `bar`: dark text on the tone, else the tone as text."""

    text: str
    tone: str
    bar: bool = False


def lane_line(lane: Lane, view: View) -> list[Piece]:
    """Jobs one after the other as bars with their names; `3` is three jobs in one cell."""
    pieces: list[Piece] = []
    x = 0
    while x < view.width:
        found = lane.between(*view.cell(x))
        if len(found) == 1:
            length = _length(lane, found.start, view, x)
            pieces.append(_bar(lane.intervals[found.start], length))
            x += length
            continue
        if found:
            pieces.append(_several(len(found), lane.bad(found)))
        else:
            pieces.append(Piece(_EMPTY, "rule"))
        x += 1
    return pieces


def load_line(node: Node, view: View) -> list[Piece]:
    """How full a node with several lanes was: a column for every cell."""
    lanes = max(1, len(node.lanes))
    pieces: list[Piece] = []
    for x in range(view.width):
        begin, end = view.cell(x)
        number = node.jobs.count(begin, end)
        if not number:
            pieces.append(Piece(_EMPTY, "rule"))
            continue
        share = node.jobs.seconds(begin, end) / (view.step * lanes)
        height = min(7, max(0, round(share * 8) - 1))
        pieces.append(Piece(_HEIGHTS[height], _tone(number, node.bad.count(begin, end))))
    return pieces


def _length(lane: Lane, at: int, view: View, x: int) -> int:
    """For how many cells this job is alone in its cell."""
    last = view.column(lane.ends[at])
    if view.cell(last)[0] >= lane.ends[at]:
        last -= 1
    if at + 1 < len(lane.begins):
        last = min(last, view.column(lane.begins[at + 1]) - 1)
    return max(1, min(last, view.width - 1) - x + 1)


def _bar(interval: Interval, length: int) -> Piece:
    word = job_word(interval.job)
    if length < 4:
        return Piece(word.glyph + " " * (length - 1), word.tone, bar=True)
    return Piece(fit(f"{word.glyph} {interval.job.name} ", length), word.tone, bar=True)


def _several(number: int, bad: int) -> Piece:
    return Piece(str(number) if number < 10 else "+", _tone(number, bad), bar=True)


def _tone(number: int, bad: int) -> str:
    """Most went wrong, some did, none did."""
    if not bad:
        return "ok"
    return "bad" if bad * 2 > number else "warn"
