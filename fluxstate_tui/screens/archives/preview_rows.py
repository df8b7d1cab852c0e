"""The fates of jobs and queues in words, tones and glyphs."""

from __future__ import annotations

from fluxstate_tui.archive.preview import Fate, JobFate, RestorePreview, cores_per_node
from fluxstate_tui.model.jobid import f58
from fluxstate_tui.screens.archives.opened import Opened
from fluxstate_tui.screens.archives.room import Room
from fluxstate_tui.store.filters import FilterField
from fluxstate_tui.widgets.columns import Column
from fluxstate_tui.widgets.line import Part
from fluxstate_tui.widgets.panel import Row
from fluxstate_tui.widgets.tones import color
from fluxstate_tui.widgets.words import Word, plural

FATES = {
    Fate.FAILED: Word("✗", "comes back FAILED", "bad"),
    Fate.NEVER_FITS: Word("✗", "can never fit", "bad"),
    Fate.NO_QUEUE: Word("✗", "has no queue", "bad"),
    Fate.OTHER_USER: Word("✗", "another user's", "bad"),
    Fate.WAITS: Word("◌", "waits", "wait"),
    Fate.HELD: Word("‖", "is held", "warn"),
    Fate.STARTS: Word("▶", "starts at once", "ok"),
    Fate.HISTORY: Word("·", "history", "off"),
}
_ORDER = {fate: number for number, fate in enumerate(FATES)}
_QUEUES_SHOWN = 3


def fate_order(one: JobFate) -> int:
    """What needs a decision stands first, history last."""
    return _ORDER[one.fate]


def reason_text(one: JobFate) -> str:
    """Why, or for history how it ended."""
    return one.reason or one.job.status


def size_parts(room: Room, opened: Opened, found: RestorePreview | None) -> list[Part]:
    """`onto 2 nodes (it had 2), 4 cores each, the same uid`."""
    resources = opened.verdict.archive.resources
    had = f" (it had {resources.nnodes})" if resources is not None else ""
    cores = room.cores or cores_per_node(opened.verdict.archive)
    parts: list[Part] = [
        ("a restore onto ", "$muted"),
        (plural(room.size, "node"), "$accent bold"),
        (f"{had}, ", "$muted"),
        (f"{plural(cores, 'core')} each" if cores else "cores unknown", "$accent"),
        (", ", "$muted"),
        ("the same uid" if room.uid is None else f"uid {room.uid}", "$accent"),
    ]
    if found is not None and found.size_needed > room.size:
        parts.append((f"  ▲ {found.size_needed} nodes would do for all", "$state-warn"))
    return parts


def count_rows(counts: dict[Fate, int], only: Fate | None) -> list[Row]:
    """How many jobs of each fate; the one that the table shows alone is marked."""
    rows: list[Row] = []
    for fate in sorted(counts, key=_ORDER.__getitem__):
        word, chosen = FATES[fate], fate is only
        rows.append(
            (
                ("▌ " if chosen else "  ", "$accent"),
                (f"{word.glyph} {counts[fate]:>7}  ", color(word.tone)),
                (fate.value, "$foreground bold" if chosen else ""),
            )
        )
    return rows


def queue_rows(found: RestorePreview) -> list[Row]:
    """How each queue comes up."""
    rows: list[Row] = []
    for queue in found.queues[:_QUEUES_SHOWN]:
        started, enabled = queue.started, queue.enabled
        reasons = "; ".join(text for text in (queue.stop_reason, queue.disable_reason) if text)
        rows.append(
            (
                ("  ● " if started else "  ‖ ", "$state-ok" if started else "$state-warn"),
                (f"{f'queue {queue.name}' if queue.name else 'the queue'} comes up ", "$muted"),
                ("started" if started else "STOPPED", "$state-ok" if started else "$state-warn"),
                ("" if enabled else ", submission DISABLED", "$state-warn"),
                (f" ({reasons})" if reasons else "", "$muted"),
            )
        )
    more = len(found.queues) - _QUEUES_SHOWN
    return [*rows, ((f"  … and {plural(more, 'more queue')}", "$muted"),)] if more > 0 else rows


FATE_COLUMNS: tuple[Column[JobFate], ...] = (
    Column("jobid", "JOBID", 12, lambda o, _: f58(o.job.id), "left", lambda _: "accent"),
    Column(
        "name",
        "NAME",
        10,
        lambda o, _: o.job.name,
        tone=lambda _: "strong",
        sort=lambda o: o.job.name,
        flex=1,
        rank=1,
    ),
    Column(
        "fate",
        "FATE",
        19,
        lambda o, _: str(FATES[o.fate]),
        tone=lambda o: FATES[o.fate].tone,
        sort=fate_order,
    ),
    Column(
        "nodes",
        "NNODES",
        6,
        lambda o, _: "-" if o.job.nnodes is None else str(o.job.nnodes),
        "right",
        sort=lambda o: o.job.nnodes or 0,
        rank=3,
    ),
    Column(
        "why",
        "WHY",
        20,
        lambda o, _: reason_text(o),
        tone=lambda _: "off",
        sort=reason_text,
        flex=4,
        rank=2,
    ),
)

FATE_FIELDS: dict[str, FilterField[JobFate]] = {
    field.name: field
    for field in (
        FilterField[JobFate]("jobid", text=lambda o: f58(o.job.id)),
        FilterField[JobFate]("name", text=lambda o: o.job.name),
        FilterField[JobFate]("fate", text=lambda o: f"{FATES[o.fate].word} {o.fate.value}"),
        FilterField[JobFate]("why", text=reason_text),
        FilterField[JobFate]("nodes", number=lambda o: o.job.nnodes),
    )
}
