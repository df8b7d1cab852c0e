"""The life of a job: its phases as one bar from submission to the end, and as a list."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from fluxstate_tui.archive.timeline import Phase, life
from fluxstate_tui.model.event import Event
from fluxstate_tui.model.job import Job, JobState
from fluxstate_tui.widgets.job_words import JOB_STATES, job_word
from fluxstate_tui.widgets.line import Part
from fluxstate_tui.widgets.panel import Row
from fluxstate_tui.widgets.tones import color
from fluxstate_tui.widgets.words import duration, moment

# Neighbours differ by more than their colour.
_FILL = {
    JobState.NEW: "·",
    JobState.DEPEND: "░",
    JobState.PRIORITY: "▒",
    JobState.SCHED: "▒",
    JobState.RUN: "█",
    JobState.CLEANUP: "▓",
}


def life_rows(job: Job, events: Sequence[Event], now: float, width: int) -> list[Row]:
    """The bar, what went wrong when, when it began and ended, then one line per phase."""
    phases = life(job.id, events)
    if not phases:
        return []
    seconds = [phase.seconds(now) for phase in phases]
    whole = sum(seconds)
    cells = _share_out(seconds, max(width, 2 * len(phases)))
    rows: list[Row] = [tuple(_bar(phases, cells))]
    marks = _exception_marks(events, phases[0].begin, whole, sum(cells))
    if marks:
        rows.append(((marks, "$state-bad"),))
    rows.append(_ends(job, phases, whole, sum(cells)))
    rows += [_phase_row(p, s, whole) for p, s in zip(phases, seconds, strict=True)]
    if job.t_inactive is not None:
        word = job_word(job)
        rows.append(((f"{word!s:<13}", color(word.tone)), (moment(job.t_inactive), "$muted")))
    return rows


def _share_out(seconds: Sequence[float], width: int) -> list[int]:
    """Cells in proportion, at least one each: what happened is seen, however short it was."""
    spare = width - len(seconds)
    whole = sum(seconds) or 1.0
    exact = [value / whole * spare for value in seconds]
    cells = [int(value) for value in exact]
    by_rest = sorted(range(len(exact)), key=lambda at: cells[at] - exact[at])
    for at in by_rest[: spare - sum(cells)]:
        cells[at] += 1
    return [1 + number for number in cells]


def _bar(phases: Sequence[Phase], cells: Sequence[int]) -> list[Part]:
    return [
        (_FILL.get(phase.state, "?") * length, color(JOB_STATES[phase.state].tone))
        for phase, length in zip(phases, cells, strict=True)
    ]


def _exception_marks(events: Sequence[Event], begin: float, whole: float, width: int) -> str:
    """`▲ cancel` under the moment of each exception, where there is room."""
    line = ""
    for event in events:
        if event.name != "exception":
            continue
        at = round((event.timestamp - begin) / whole * (width - 1)) if whole > 0 else 0
        text = f"▲ {str(event.context.get('type', ''))[:20]}"
        at = min(max(at, cell_len(line) + bool(line)), max(0, width - cell_len(text)))
        if at >= cell_len(line) + bool(line):
            line += " " * (at - cell_len(line)) + text
    return line


def _ends(job: Job, phases: Sequence[Phase], whole: float, width: int) -> Row:
    left = moment(phases[0].begin)
    total = f"{duration(whole)} in all" if job.t_inactive is not None else f"{duration(whole)} yet"
    gap = max(2, width - cell_len(left) - cell_len(total))
    return ((left, "$muted"), (" " * gap, ""), (total, "$accent"))


def _phase_row(phase: Phase, seconds: float, whole: float) -> Row:
    word = JOB_STATES[phase.state]
    share = f"{seconds / whole:>5.0%}" if whole > 0 else "    –"
    still = "" if phase.end is not None else "  still"
    return (
        (f"{word!s:<11} ", color(word.tone)),
        (_FILL.get(phase.state, "?") * 2, color(word.tone)),
        (f" {duration(seconds):>7} ", ""),
        (share, "$muted"),
        (f"  from {moment(phase.begin)}{still}", "$muted"),
    )
