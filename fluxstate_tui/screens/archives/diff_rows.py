"""Differences as rows: what kind, which fields, from what, to what."""

from __future__ import annotations

from enum import Enum
from itertools import chain
from typing import Any

import msgspec

from fluxstate_tui.archive.by_id import ById, sorted_by_id
from fluxstate_tui.archive.diff import Diff, FieldChange
from fluxstate_tui.model.job import Job
from fluxstate_tui.model.jobid import f58
from fluxstate_tui.store.filters import FilterField
from fluxstate_tui.widgets.columns import Column
from fluxstate_tui.widgets.line import Part
from fluxstate_tui.widgets.panel import Row
from fluxstate_tui.widgets.words import Word, moment


class What(Enum):
    """Kinds of difference, the most telling first."""

    ONLY_A = Word("-", "only in the archive", "bad")
    ONLY_B = Word("+", "only in the other", "ok")
    CHANGED = Word("~", "changed", "warn")
    SAME = Word("=", "the same", "off")


_ORDER = {what: number for number, what in enumerate(What)}


class Compared(msgspec.Struct, frozen=True, gc=False):
    """One job of both sides. `job` is the later one where it is in both."""

    job: Job
    what: What
    changes: tuple[FieldChange, ...] = ()


def compared(found: Diff) -> tuple[ById[Compared], dict[What, int]]:
    """Rows by job id, and how many of each kind that occurs."""
    kinds = (
        ((job.id, Compared(job, What.ONLY_A)) for job in found.only_a),
        ((job.id, Compared(job, What.ONLY_B)) for job in found.only_b),
        ((x.after.id, Compared(x.after, What.CHANGED, x.fields)) for x in found.changed),
        ((job.id, Compared(job, What.SAME)) for job in found.unchanged),
    )
    rows = sorted_by_id(chain(*kinds))
    numbers = {
        What.ONLY_A: len(found.only_a),
        What.ONLY_B: len(found.only_b),
        What.CHANGED: len(found.changed),
        What.SAME: len(found.unchanged),
    }
    return rows, {what: number for what, number in numbers.items() if number}


def order(row: Compared) -> int:
    """What differs first."""
    return _ORDER[row.what]


def count_parts(counts: dict[What, int], only: What | None) -> list[Part]:
    """`2 only in the archive  5 changed  29 the same`."""
    if not counts:
        return [("no jobs on either side", "$muted")]
    if set(counts) == {What.SAME}:
        return [(f"= all {counts[What.SAME]} jobs are the same", "$state-ok")]
    parts: list[Part] = []
    for what, number in counts.items():
        word = what.value
        tone = "$muted" if word.tone == "off" else f"$state-{word.tone}"
        ground = f"{tone} reverse" if what is only else tone
        parts += [(f"{word.glyph} {number} {word.word}", ground), ("   ", "")]
    return parts


def summary(row: Compared) -> str:
    """The changes in one line, or what the job is."""
    if not row.changes:
        return row.job.status
    return "  ".join(
        f"{change.name} {_text(change.name, change.before)} → {_text(change.name, change.after)}"
        for change in row.changes
    )


def change_rows(row: Compared) -> list[Row]:
    """One line per field that changed: from, to."""
    head: Row = (
        (f"{f58(row.job.id)}  ", "$accent"),
        (f"{row.job.name}  ", "$foreground bold"),
        (row.what.value.word, "$muted"),
    )
    return [
        head,
        *(
            (
                (f"  {change.name:<16} ", "$muted"),
                (_text(change.name, change.before), "$state-bad"),
                (" → ", "$muted"),
                (_text(change.name, change.after), "$state-ok"),
            )
            for change in row.changes
        ),
    ]


def _text(name: str, value: Any) -> str:
    if value is None or value == "" or value == ():
        return "–"
    if (name.startswith("t_") or name == "expiration") and isinstance(value, float):
        return moment(value)
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(getattr(value, "name", None) or value)[:400]


DIFF_COLUMNS: tuple[Column[Compared], ...] = (
    Column(
        "what",
        "",
        1,
        lambda r, _: r.what.value.glyph,
        tone=lambda r: r.what.value.tone,
        sort=order,
    ),
    Column("jobid", "JOBID", 12, lambda r, _: f58(r.job.id), "left", lambda _: "accent"),
    Column(
        "name",
        "NAME",
        10,
        lambda r, _: r.job.name,
        tone=lambda _: "strong",
        sort=lambda r: r.job.name,
        flex=1,
        rank=1,
    ),
    Column("status", "STATUS", 9, lambda r, _: r.job.status, sort=lambda r: r.job.status),
    Column(
        "changes",
        "WHAT CHANGED",
        20,
        lambda r, _: summary(r) if r.changes else r.what.value.word,
        tone=lambda r: "plain" if r.changes else r.what.value.tone,
        flex=5,
    ),
)

DIFF_FIELDS: dict[str, FilterField[Compared]] = {
    field.name: field
    for field in (
        FilterField[Compared]("jobid", text=lambda r: f58(r.job.id)),
        FilterField[Compared]("name", text=lambda r: r.job.name),
        FilterField[Compared]("what", text=lambda r: r.what.value.word),
        FilterField[Compared]("status", text=lambda r: r.job.status),
        FilterField[Compared]("field", text=lambda r: " ".join(c.name for c in r.changes)),
    )
}
