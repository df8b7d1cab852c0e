"""What differs between an archive and another one, or a live queue, job by job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from textual.binding import Binding, BindingType
from textual.widget import Widget

from fluxstate_tui.archive.compare import Diff, FieldChange, account, diff
from fluxstate_tui.archive.job_map import ById, sorted_by_id, without_collector
from fluxstate_tui.archive.manifest import ARCHIVE_SUFFIXES
from fluxstate_tui.archive.progress import Reading
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.job import Job
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.formatting import Word, age, moment, plural, size
from fluxstate_tui.live.filters import FilterField
from fluxstate_tui.live.freshness import Freshness, queue_source
from fluxstate_tui.tui.screens.archive.opened import (
    FileDialog,
    Opened,
    prepare,
    progress_parts,
    push_job,
    read_file,
)
from fluxstate_tui.tui.screens.base import LiveScreen
from fluxstate_tui.tui.screens.dialog import Choice, ChoiceDialog
from fluxstate_tui.tui.screens.explanation import trouble_rows
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.theme import INNER_CSS
from fluxstate_tui.tui.widgets.grid import Column, Grid
from fluxstate_tui.tui.widgets.inputs import in_background
from fluxstate_tui.tui.widgets.lines import Line, Panel, Part, Row
from fluxstate_tui.tui.widgets.table import Table

if TYPE_CHECKING:
    from textual.screen import Screen

    from fluxstate_tui.archive.manifest import CatalogEntry
    from fluxstate_tui.archive.verify import Verdict
    from fluxstate_tui.live.picture import ClusterPicture
    from fluxstate_tui.minicluster.minicluster import ClusterRef


# Differences as rows: what kind, which fields, from what, to what.


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


# The second side of a comparison: where its jobs come from, and how sure they are.


@dataclass(frozen=True, slots=True)
class Jobs:
    """Jobs by id. `doubt` says why there may be more than these, '' if these are all."""

    by_id: Mapping[int, Job]
    suspect: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """Something to compare with. `load` raises FluxstateError. `live` = it goes on changing."""

    name: str
    about: str
    load: Callable[[Reading], Awaitable[Jobs]]
    live: bool = False


def of_file(path: Path) -> Side:
    """An archive of this machine."""

    async def load(reading: Reading) -> Jobs:
        return await _jobs(path.name, await read_file(path, reading), reading)

    return Side(path.name, f"file, {_size(path)}", load)


def of_entry(services: Services, ref: ClusterRef, entry: CatalogEntry) -> Side:
    """Another archive of the catalog."""

    async def load(reading: Reading) -> Jobs:
        verdict = await services.actions.open_archive(ref, entry, reading)
        return await _jobs(entry.id, verdict, reading)

    return Side(entry.id, f"catalog of {ref.name}, {size(entry.size)}", load)


def of_live(services: Services, picture: ClusterPicture) -> Side:
    """A queue as the store has it now."""

    async def load(_: Reading) -> Jobs:
        return Jobs(dict(picture.jobs), _suspect(services, picture))

    what = "the queue as it was last seen" if picture.gone_at is not None else "the live queue"
    about = f"{what}, {plural(len(picture.jobs), 'job')}"
    return Side(picture.ref.name, about, load, live=True)


async def _jobs(name: str, verdict: Verdict, reading: Reading) -> Jobs:
    opened = await reading.in_thread(lambda: prepare(name, verdict))
    return Jobs(opened.jobs, f"{name} is {verdict.kind.value}" if opened.partial else "")


def _suspect(services: Services, picture: ClusterPicture) -> str:
    if picture.gone_at is not None:
        return f"{picture.ref.name} is deleted; this is its last picture"
    source = services.store.source(queue_source(picture.ref.uid))
    if source is None or source.freshness is Freshness.LIVE:
        return ""
    seconds = source.age(services.clock.now())
    old = f" and {age(seconds)} old" if seconds is not None else ""
    return f"the queue of {picture.ref.name} is {source.freshness.value}{old}"


def _size(path: Path) -> str:
    try:
        return size(path.stat().st_size)
    except OSError:
        return "unknown size"


_REDRAW_SECONDS = 0.15


class DiffScreen(LiveScreen):
    """What differs stands first. A live queue is compared as it is now; `r` looks again."""

    CSS_PATH = INNER_CSS
    HELP_TEXT = (
        "- only in the archive, + only in the other one, ~ in both and changed, = the same. Below "
        "the table is what changed of the job under the cursor. Compared with a live queue the "
        "account says what became of every saved job."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "job", id="archive-diff.open", key_display="↵"),
        Binding("escape", "leave", "back", id="archive-diff.back", key_display="esc"),
        Binding(
            "f", "what", "next kind", id="archive-diff.what", tooltip="Only one kind of difference"
        ),
        Binding("r", "again", "look again", id="archive-diff.again"),
    ]

    def __init__(self, services: Services, opened: Opened, other: Side) -> None:
        super().__init__(services)
        self.opened = opened
        self.other = other
        self._only: What | None = None
        self._reading: Reading | None = None
        self._counts: dict[What, int] = {}
        self._notes: list[list[Part]] = []
        self.table: Table[int, Compared] = Table(
            DIFF_COLUMNS,
            DIFF_FIELDS,
            natural=order,
            still=True,
            remembered=services.memory.table("archive-diff").without_filter(),
        )

    def body(self) -> Iterable[Widget]:
        """Both sides, the numbers, the jobs, and what changed of one."""
        yield Line(id="diff-sides", classes="summary")
        yield Line(id="diff-counts", classes="summary")
        yield Panel(id="diff-notes")
        yield self.table
        yield Panel(id="diff-fields", classes="findings")

    def crumbs(self) -> list[str]:
        """The archive, then this."""
        return [self.opened.name, "compare"]

    def freshness_parts(self) -> list[Part]:
        """When the archive was dumped."""
        return self.opened.dumped_parts()

    def tick(self) -> None:
        """A live queue goes on; what is shown is from when it was looked at."""

    def on_mount(self) -> None:
        """Read the other side."""
        super().on_mount()
        self.table.grid.focus()
        self.query_one("#diff-sides", Line).say(
            [
                (f"- {self.opened.name}", "$state-bad"),
                ("   ", ""),
                (f"+ {self.other.name}", "$state-ok"),
                (f"  {self.other.about}", "$muted"),
            ]
        )
        self.set_interval(_REDRAW_SECONDS, self._show_progress)
        self.action_again()

    def on_unmount(self) -> None:
        """Nobody waits for it any more."""
        super().on_unmount()
        if self._reading is not None:
            self._reading.stop()

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Show that job."""
        event.stop()
        self.action_open()

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        """What changed of the job under the cursor."""
        event.stop()
        row = self._row(event.key)
        self.query_one("#diff-fields", Panel).say(change_rows(row) if row is not None else [])

    def action_leave(self) -> None:
        """Stop reading, and back."""
        if self._reading is not None:
            self._reading.stop()
        self.app.pop_screen()

    def action_open(self) -> None:
        """The job as it is in the archive."""
        key = self.table.grid.cursor_key
        if key is not None:
            push_job(self, self.services, self.opened, key)

    def action_what(self) -> None:
        """Only jobs of the next kind of difference; after the last one all again."""
        kinds: list[What | None] = [None, *self._counts]
        at = kinds.index(self._only) if self._only in kinds else 0
        self._only = only = kinds[(at + 1) % len(kinds)]
        self.table.grid.filter_by(None if only is None else lambda row: row.what is only)
        self._show_counts()

    def action_again(self) -> None:
        """Read the other side, again if it is live."""
        if self._reading is None:
            self._reading = Reading()
            self.table.say_when_empty(f"Reading {self.other.name} …")
            in_background(self, self._compare)

    def _row(self, key: int | None) -> Compared | None:
        return None if key is None else self.table.grid.selection.rows.get(key)

    def _show_progress(self) -> None:
        if self._reading is not None:
            self.query_one("#diff-counts", Line).say(progress_parts(self._reading))

    def _show_counts(self) -> None:
        self.query_one("#diff-counts", Line).say(count_parts(self._counts, self._only))

    async def _compare(self) -> None:
        reading = self._reading
        assert reading is not None
        try:
            await self._read_and_compare(reading)
        except FluxstateError as error:
            self._counts = {}
            self.query_one("#diff-counts", Line).say([(f"✗ {error.message}", "$state-bad")])
            self.table.say_when_empty("\n".join((*trouble_rows(error), "r looks again.")))
        finally:
            self._reading = None

    async def _read_and_compare(self, reading: Reading) -> None:
        other = await self.other.load(reading)
        mine = self.opened.jobs

        def compare() -> tuple[ById[Compared], dict[What, int], str]:
            with without_collector(len(mine) + len(other.by_id)):
                found = diff(mine.values(), other.by_id.values(), reading.go_on)
                rows, counts = compared(found)
                if not self.other.live:
                    return rows, counts, ""
                return rows, counts, account(mine.values(), other.by_id.values()).explain()

        rows, self._counts, explained = await reading.in_thread(compare)
        self._reading = None
        self._show_notes(other.suspect, explained)
        self.table.say_when_empty("Both are without any job.")
        await self.table.show_in_thread(rows)
        self._show_counts()

    def _show_notes(self, suspect: str, explained: str) -> None:
        notes: list[list[Part]] = []
        if explained:
            tone = "$state-ok" if " 0 lost" in explained else "$state-bad"
            notes.append([("account  ", "$muted"), (explained, tone)])
        mine = f"{self.opened.name} is {self.opened.verdict.kind.value}"
        for text in (mine if self.opened.partial else "", suspect):
            if text:
                missing = f"▲ {text}: a job that seems to be missing may only not be readable."
                notes.append([(missing, "$state-warn")])
        panel = self.query_one("#diff-notes", Panel)
        panel.say(notes)
        panel.display = bool(notes)


# With what an archive is compared: another one of its catalog or folder, or a live queue.

_MOST = 40


def choose_other(screen: Screen[Any], services: Services, opened: Opened) -> None:
    """Ask with what to compare, and show what differs."""
    sides = [*_live(services, opened), *_entries(services, opened), *_files(opened)][:_MOST]
    choices: list[Choice[Side | Path]] = [Choice(side, side.name, side.about) for side in sides]
    folder = opened.path.parent if opened.path is not None else Path.cwd()
    choices.append(Choice(folder, "another file …", "an archive of this machine, by its path"))
    lines: list[list[Part]] = [[(f"What differs between {opened.name} and …", "")]]

    def show(side: Side) -> None:
        screen.app.push_screen(DiffScreen(services, opened, side))

    def show_file(path: Path | None) -> None:
        if path is not None:
            show(of_file(path))

    def chosen(choice: Side | Path | None) -> None:
        if isinstance(choice, Side):
            show(choice)
        elif choice is not None:
            screen.app.push_screen(FileDialog(choice), show_file)

    screen.app.push_screen(ChoiceDialog("Compare", lines, choices), chosen)


def _live(services: Services, opened: Opened) -> Iterator[Side]:
    """Live queues that are known; that of the archive's own MiniCluster first."""
    pictures = [p for p in services.store.clusters.values() if p.jobs_at is not None]
    own = opened.ref.name if opened.ref is not None else ""
    pictures.sort(key=lambda p: (p.gone_at is not None, p.ref.name != own, str(p.ref)))
    for picture in pictures:
        yield of_live(services, picture)


def _entries(services: Services, opened: Opened) -> Iterator[Side]:
    """Other archives of the same catalog."""
    picture = services.store.clusters.get(opened.ref.uid) if opened.ref is not None else None
    if picture is not None and opened.ref is not None:
        for entry in picture.catalog:
            if entry.id != opened.name:
                yield of_entry(services, opened.ref, entry)


def _files(opened: Opened) -> Iterator[Side]:
    """Other archives in the same folder of this machine."""
    if opened.path is None:
        return
    try:
        found = sorted(opened.path.parent.iterdir())
    except OSError:
        return
    for path in found:
        if path.name.endswith(ARCHIVE_SUFFIXES) and path != opened.path:
            yield of_file(path)
