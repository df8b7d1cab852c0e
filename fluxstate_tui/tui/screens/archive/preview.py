"""What a restore of an archive would do with every job, for the size that one thinks of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input

from fluxstate_tui.archive.job_map import ById, without_collector
from fluxstate_tui.archive.preview import (
    JobPrediction,
    PredictedOutcome,
    RestorePreview,
    cores_per_node,
    preview,
)
from fluxstate_tui.archive.progress import Reading
from fluxstate_tui.chunked import clear_in_chunks
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.formatting import Word, plural
from fluxstate_tui.live.filters import FilterField
from fluxstate_tui.tui.screens.archive.opened import Opened, push_job
from fluxstate_tui.tui.screens.base import LiveScreen
from fluxstate_tui.tui.screens.dialog import Dialog
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.theme import INNER_CSS, color
from fluxstate_tui.tui.widgets.grid import Column, Grid
from fluxstate_tui.tui.widgets.inputs import in_background
from fluxstate_tui.tui.widgets.lines import Line, Panel, Part, Row
from fluxstate_tui.tui.widgets.table import Table

# What an archive would be restored onto: nodes, cores of each, and whose instance it is.

MOST_NODES = 1 << 20


@dataclass(frozen=True, slots=True)
class Room:
    """`cores` None = as many as before; `uid` None = the same owner as before.

    `max_size` and `name` are those of the MiniCluster, None and '' where there is none; `had` is
    how many nodes it had, None if that is not known.
    """

    size: int
    cores: int | None = None
    uid: int | None = None
    max_size: int | None = None
    name: str = ""
    had: int | None = None

    def resized(self, step: int) -> Room:
        """With more or fewer nodes, at least one."""
        return replace(self, size=min(MOST_NODES, max(1, self.size + step)))


class RoomDialog(Dialog[Room]):
    """Three numbers; an empty one means: as it was."""

    CSS_PATH = INNER_CSS

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "plan", "show", id="room.show", key_display="↵", priority=True),
    ]

    def __init__(self, room: Room) -> None:
        super().__init__("Restore onto")
        self._room = room

    def content(self) -> Iterable[Widget]:
        """Nodes, cores, uid."""
        room = self._room
        yield _row("nodes", "room-size", str(room.size), "pods of the new MiniCluster")
        yield _row("cores", "room-cores", _text(room.cores), "of each node; empty: as before")
        yield _row("uid", "room-uid", _text(room.uid), "of its owner; empty: the same")
        yield Line(id="room-said")

    def on_mount(self) -> None:
        """Write at once."""
        self.query_one("#room-size").focus()

    def action_plan(self) -> None:
        """Give the numbers back."""
        for name in ("size", "cores", "uid"):
            field = self.query_one(f"#room-{name}", Input)
            if field.value.strip() and self._number(name) is None:
                says = [(f"{field.value.strip()} is no number.", "$state-warn")]
                self.query_one("#room-said", Line).say(says)
                field.focus()
                return
        size, cores, uid = (self._number(name) for name in ("size", "cores", "uid"))
        wanted = min(MOST_NODES, max(1, size if size is not None else self._room.size))
        self.dismiss(replace(self._room, size=wanted, cores=cores or None, uid=uid))

    def _number(self, name: str) -> int | None:
        text = self.query_one(f"#room-{name}", Input).value.strip()
        return int(text) if text.isdecimal() and text.isascii() else None


def _row(title: str, name: str, value: str, hint: str) -> Widget:
    label, about = Line(classes="dialog-label"), Line()
    label.say([(title, "$muted")])
    about.say([(hint, "$muted")])
    field = Input(value, id=name, compact=True, max_length=10)
    field.styles.width = 12
    return Horizontal(label, field, about, classes="dialog-row")


def _text(value: int | None) -> str:
    return "" if value is None else str(value)


# The fates of jobs and queues in words, tones and glyphs.

FATES = {
    PredictedOutcome.FAILED: Word("✗", "comes back FAILED", "bad"),
    PredictedOutcome.NEVER_FITS: Word("✗", "can never fit", "bad"),
    PredictedOutcome.NO_QUEUE: Word("✗", "has no queue", "bad"),
    PredictedOutcome.OTHER_USER: Word("✗", "another user's", "bad"),
    PredictedOutcome.BLOCKED: Word("✗", "blocks the queue", "bad"),
    PredictedOutcome.STUCK: Word("✗", "waits for ever", "bad"),
    PredictedOutcome.WAITS: Word("◌", "waits", "wait"),
    PredictedOutcome.ROOM: Word("◌", "waits for room", "wait"),
    PredictedOutcome.HELD: Word("‖", "is held", "warn"),
    PredictedOutcome.STARTS: Word("▶", "starts at once", "ok"),
    PredictedOutcome.HISTORY: Word("·", "history", "off"),
}
_ORDER = {fate: number for number, fate in enumerate(FATES)}
_QUEUES_SHOWN = 3


def fate_order(one: JobPrediction) -> int:
    """What needs a decision stands first, history last."""
    return _ORDER[one.fate]


def reason_text(one: JobPrediction) -> str:
    """Why, or for history how it ended."""
    return one.reason or one.job.status


def size_parts(room: Room, opened: Opened, found: RestorePreview | None) -> list[Part]:
    """`onto 2 nodes (it had 2), 4 cores each, the same uid`."""
    most = f" of at most {room.max_size}" if (room.max_size or 0) > room.size else ""
    had = f"{most} (it had {room.had})" if room.had is not None else most
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


def count_rows(counts: dict[PredictedOutcome, int], only: PredictedOutcome | None) -> list[Row]:
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


FATE_COLUMNS: tuple[Column[JobPrediction], ...] = (
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

FATE_FIELDS: dict[str, FilterField[JobPrediction]] = {
    field.name: field
    for field in (
        FilterField[JobPrediction]("jobid", text=lambda o: f58(o.job.id)),
        FilterField[JobPrediction]("name", text=lambda o: o.job.name),
        FilterField[JobPrediction]("fate", text=lambda o: f"{FATES[o.fate].word} {o.fate.value}"),
        FilterField[JobPrediction]("why", text=reason_text),
        FilterField[JobPrediction]("nodes", number=lambda o: o.job.nnodes),
    )
}


class PreviewScreen(LiveScreen):
    """Computes anew for every size, in a thread; nothing of it touches a cluster."""

    CSS_PATH = INNER_CSS
    HELP_TEXT = (
        "What a restore would do, before it is done. Jobs that are over stay as history. A job "
        "that ran at the dump comes back FAILED. One that needs more nodes than there are is "
        "failed by Flux for good: + until it fits. Stopped queues let nothing start. The others "
        "start in their order; the first that finds no room keeps all behind it waiting."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "job", id="archive-preview.open", key_display="↵"),
        Binding("escape,v", "app.pop_screen", "back", id="archive-preview.back", key_display="esc"),
        Binding(
            "plus,equals_sign", "resize(1)", "node more", id="archive-preview.more", key_display="+"
        ),
        Binding("minus", "resize(-1)", "less", id="archive-preview.less", key_display="-"),
        Binding("e", "edit", "cores, uid", id="archive-preview.edit"),
        Binding(
            "f", "fate", "next fate", id="archive-preview.fate", tooltip="Only jobs of one fate"
        ),
    ]

    def __init__(self, services: Services, opened: Opened, size: int | None = None) -> None:
        super().__init__(services)
        self.opened = opened
        self.room = _room(services, opened, size)
        self.found: RestorePreview | None = None
        self.counts: dict[PredictedOutcome, int] = {}
        self._fates: list[JobPrediction] = []
        self._only: PredictedOutcome | None = None
        self.table: Table[int, JobPrediction] = Table(
            FATE_COLUMNS,
            FATE_FIELDS,
            natural=fate_order,
            still=True,
            remembered=services.memory.table("archive-preview").without_filter(),
        )

    def body(self) -> Iterable[Widget]:
        """The size, the numbers, the queues, the jobs."""
        yield Line(id="preview-room", classes="summary")
        yield Panel(id="preview-warnings")
        yield Panel(id="preview-counts")
        yield self.table

    def crumbs(self) -> list[str]:
        """The archive, then this."""
        return [self.opened.name, "preview"]

    def freshness_parts(self) -> list[Part]:
        """When it was dumped, and whether it is whole."""
        return self.opened.dumped_parts()

    def tick(self) -> None:
        """Nothing in an archive grows older."""

    def on_mount(self) -> None:
        """Think it through for the size that it had."""
        super().on_mount()
        self.table.grid.focus()
        self._compute()

    def on_unmount(self) -> None:
        """Let a million fates go without a halt."""
        super().on_unmount()
        if self._fates:
            asyncio.get_running_loop().run_in_executor(None, clear_in_chunks, self._fates)

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Show that job."""
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        """Show the job under the cursor."""
        key = self.table.grid.cursor_key
        if key is not None:
            push_job(self, self.services, self.opened, key)

    def action_resize(self, step: int) -> None:
        """One node more or less, never none."""
        self._change(self.room.resized(step))

    def action_edit(self) -> None:
        """Write nodes, cores and uid."""
        self.app.push_screen(RoomDialog(self.room), self._change)

    def action_fate(self) -> None:
        """Only the jobs of the next fate that occurs; after the last one all again."""
        predictions: list[PredictedOutcome | None] = [None, *self.counts]
        at = predictions.index(self._only) if self._only in predictions else 0
        self._only = only = predictions[(at + 1) % len(predictions)]
        self.table.grid.filter_by(None if only is None else lambda one: one.fate is only)
        self._show_counts()

    def _change(self, room: Room | None) -> None:
        if room is not None and room != self.room:
            self.room = room
            self._compute()

    def _compute(self) -> None:
        shown = size_parts(self.room, self.opened, self.found)
        self.query_one("#preview-room", Line).say([*shown, ("  working it out …", "$muted")])
        if self.found is None:
            self.table.say_when_empty("Working out what a restore would do …")
        in_background(self, self._think)

    async def _think(self) -> None:
        room, reading = self.room, Reading()
        thought = await reading.in_thread(lambda: think(self.opened, room, reading.go_on))
        found, self.counts, rows = thought
        self.found = found
        await self.table.show_in_thread(rows)
        self.table.say_when_empty("The archive holds no job: the queue comes up empty.")
        self.query_one("#preview-room", Line).say(size_parts(room, self.opened, found))
        warnings = self.query_one("#preview-warnings", Panel)
        loud = [*found.warnings[:4]]
        if found.blocker is not None:
            loud.append(f"Stuck: {found.blocker}")
        warnings.say([[(f"▲ {text}", "$state-bad")] for text in loud])
        warnings.display = bool(loud)
        self._show_counts()
        old, self._fates = self._fates, found.jobs
        if self.table.grid.selection.rows is rows:  # else the old ones are still shown
            await asyncio.to_thread(clear_in_chunks, old)

    def _show_counts(self) -> None:
        if self.found is not None:
            rows = [*count_rows(self.counts, self._only), *queue_rows(self.found)]
            self.query_one("#preview-counts", Panel).say(rows)


def _room(services: Services, opened: Opened, size: int | None) -> Room:
    """Of its MiniCluster, as the dialog and the plan of a restore have it; else as the archive."""
    picture = services.store.clusters.get(opened.ref.uid) if opened.ref is not None else None
    if picture is None:
        resources = opened.verdict.archive.resources
        had = resources.nnodes if resources is not None else None
        return Room(size or had or 1, had=had)
    known = picture.minicluster
    wanted = size or known.size
    return Room(wanted, max_size=known.max_size, name=known.ref.name, had=known.size)


def think(
    opened: Opened, room: Room, go_on: Callable[[], None]
) -> tuple[RestorePreview, dict[PredictedOutcome, int], ById[JobPrediction]]:
    """The fate of every job, how many have each, and the fates by job. May run in a thread."""
    with without_collector(len(opened.jobs)):
        found = preview(
            opened.verdict.archive,
            size=room.size,
            cores=room.cores,
            max_size=room.max_size,
            name=room.name,
            uid=room.uid,
            go_on=go_on,
        )
        return found, found.counts, ById(opened.jobs.ids, found.jobs)
