"""One job: what it asks for, the timeline of its life, its events and its output, live."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from msgspec.structs import replace
from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget

from fluxstate_tui.archive.timeline import Phase, life
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux import jobspec as spec
from fluxstate_tui.flux.dependency import on_a_job
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.flux.job_json import dependency_words
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.flux.scheduler import turn
from fluxstate_tui.formatting import age, duration, moment, plural
from fluxstate_tui.live.actions import JobDetail, OutputLine
from fluxstate_tui.live.outlook import run_times, until_idle
from fluxstate_tui.live.store import Changes
from fluxstate_tui.tui.screens.base import LiveScreen
from fluxstate_tui.tui.screens.jobs.actions import JobKeys
from fluxstate_tui.tui.screens.jobs.columns import ending, info_text, user_text
from fluxstate_tui.tui.screens.services import Services
from fluxstate_tui.tui.text import visible_lines
from fluxstate_tui.tui.theme import INNER_CSS, color
from fluxstate_tui.tui.widgets.inputs import in_background
from fluxstate_tui.tui.widgets.job_words import JOB_STATES, job_word
from fluxstate_tui.tui.widgets.lines import Line, Panel, Part, Row, pairs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from fluxstate_tui.archive.reader import ArchivedJob
    from fluxstate_tui.live.picture import ClusterPicture
    from fluxstate_tui.minicluster.minicluster import ClusterRef


# One job in lines of text: facts, the timeline of its life, its events, its output.

_PLACES = 4


def head_parts(job: Job, now: float, waits: str = "") -> list[Part]:
    """`▶ RUN  lammps  for 1.717m on flux-sample-3`. What it `waits` for stands below in full."""
    word = job_word(job)
    parts: list[Part] = [(str(word), color(word.tone)), ("  ", ""), (job.name, "$foreground bold")]
    seconds = job.runtime(now)
    if seconds is not None:
        parts.append((f"  {'ran' if job.t_cleanup else 'for'} {duration(seconds)}", "$muted"))
    info = "" if waits else info_text(job)
    if info:
        parts.append((f"  {info}", "$muted"))
    return parts


def fact_rows(job: Job, detail: JobDetail | None, waits: str = "") -> list[Row]:
    """What was asked for, what it waits for, what it got, and how it ended."""
    command = shlex.join(spec.command(detail.jobspec)) if detail and detail.jobspec else ""
    exception = job.exception
    trouble = ""
    if exception is not None:
        trouble = f"{exception.type} (severity {exception.severity}) {exception.note}"
    return pairs(
        (
            ("command", command),
            ("asks for", _asks(job)),
            ("waits", f"{waits[:1].upper()}{waits[1:]}." if waits else ""),
            ("limit", duration(job.duration) if job.duration else "no time limit"),
            ("runs on", f"{job.nodelist} (ranks {job.ranks})" if job.nodelist else ""),
            *_place_pairs(detail.places if detail else ()),
            ("user", user_text(job)),
            ("queue", job.queue),
            ("bank", job.bank),
            ("project", job.project),
            ("cwd", job.cwd),
            ("urgency", f"{job.urgency}{' (held)' if job.urgency == 0 else ''}"),
            ("needs", ", ".join(map(dependency_words, job.dependencies))),
            ("exception", trouble),
            ("ended", ending(job) if exception is None else ""),
        )
    )


def event_rows(events: Sequence[Event]) -> list[Row]:
    """The eventlog: seconds since submission, name, context."""
    if not events:
        return []
    begin = events[0].timestamp
    return [
        (
            (f"{event.timestamp - begin:>10.3f}  ", "$muted"),
            (f"{event.name:<18} ", ""),
            (json.dumps(event.context, ensure_ascii=False) if event.context else "", "$muted"),
        )
        for event in events[-200:]
    ]


def _place_pairs(places: Sequence[str]) -> list[tuple[str, str]]:
    """The cores that it got: the first lines, as many as leave room for the rest."""
    shown = list(places[:_PLACES])
    if len(places) > _PLACES:
        shown[-1] = f"… and on {len(places) - _PLACES + 1} more groups of nodes"
    return [("got" if number == 0 else " ", text) for number, text in enumerate(shown)]


def _asks(job: Job) -> str:
    parts = [
        plural(number, noun)
        for number, noun in ((job.ntasks, "task"), (job.ncores, "core"), (job.nnodes, "node"))
        if number is not None
    ]
    return ", ".join(parts)


# The life of a job: its phases as one bar from submission to the end, and as a list.

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


# The end of a job's output, however much there is, and how much of it is not kept.

MOST_CHARACTERS: Final = 100_000
MOST_LINES: Final = 1_000


@dataclass(slots=True)
class OutputTail:
    """The last pieces, at most `most` characters of them. `dropped` counts characters."""

    most: int = MOST_CHARACTERS
    dropped: int = 0
    pieces: deque[OutputLine] = field(default_factory=deque)
    _kept: int = 0

    def add(self, pieces: Iterable[OutputLine]) -> None:
        """Take more, and drop the oldest where it gets too much."""
        for piece in pieces:
            self.pieces.append(piece)
            self._kept += len(piece.text)
            while self._kept > self.most:
                self._drop(self._kept - self.most)

    def _drop(self, excess: int) -> None:
        oldest = self.pieces.popleft()
        cut = min(excess, len(oldest.text))
        if cut < len(oldest.text):
            self.pieces.appendleft(OutputLine(oldest.stream, oldest.rank, oldest.text[cut:]))
        self._kept -= cut
        self.dropped += cut

    def rows(self) -> list[Row]:
        """What the tasks wrote; stderr and the rank are marked. Above it what is not shown."""
        rows: list[Row] = []
        several = len({piece.rank for piece in self.pieces}) > 1
        for piece in self.pieces:
            style = "$state-warn" if piece.stream == "stderr" else ""
            tag = f"{piece.rank}: " if several else ""
            lines = visible_lines(piece.text.removesuffix("\n"), self.most)
            rows += [((tag, "$muted"), (line, style)) for line in lines]
        hidden = max(0, len(rows) - MOST_LINES)
        said = [f"{self.dropped:,} characters"] if self.dropped else []
        said += [f"{hidden:,} lines"] if hidden else []
        rows = rows[hidden:]
        if said:
            rows.insert(0, ((f"… {' and '.join(said)} before this are not shown", "$muted"),))
        return rows


# Where a job screen gets its job from: the live queue, or an archive.


class JobSource(Protocol):
    """A job as it is now, the time by its own clock, and its details on demand."""

    @property
    def place(self) -> str:
        """The MiniCluster or the archive that it is in."""
        ...

    def job(self) -> Job | None:
        """The job, None if it is not known any more."""
        ...

    def now(self) -> float:
        """Seconds since the epoch by the clock that wrote its times."""
        ...

    def waits(self) -> str:
        """Why it waits, '' if it does not."""
        ...

    async def detail(self) -> JobDetail:
        """Eventlog, jobspec and output. Raises FluxstateError."""
        ...

    def follow(self) -> AbstractAsyncContextManager[AsyncIterator[tuple[OutputLine, ...]]] | None:
        """Its output live, None where nothing can come any more. Raises FluxstateError."""
        ...


@dataclass(frozen=True, slots=True)
class LiveJob:
    """A job of a queue that is watched."""

    services: Services
    ref: ClusterRef
    id: int

    @property
    def place(self) -> str:
        """The MiniCluster's name."""
        return self.ref.name

    def job(self) -> Job | None:
        """As the store has it."""
        picture = self.services.store.clusters.get(self.ref.uid)
        return picture.jobs.get(self.id) if picture else None

    def now(self) -> float:
        """The cluster's time."""
        picture = self.services.store.clusters.get(self.ref.uid)
        now = self.services.clock.now()
        return picture.cluster_now(now) if picture else now

    def waits(self) -> str:
        """As far as the queue tells it."""

        picture, job = self.services.store.clusters.get(self.ref.uid), self.job()
        if picture is None or job is None:
            return ""
        return waiting_text(picture, job, self.now())

    async def detail(self) -> JobDetail:
        """As Flux tells it now."""
        return await self.services.actions.job_detail(self.ref, self.id)

    def follow(self) -> AbstractAsyncContextManager[AsyncIterator[tuple[OutputLine, ...]]]:
        """From its begin, until the job ends."""
        return self.services.actions.follow_output(self.ref, self.id)


@dataclass(frozen=True, slots=True)
class JobOfArchive:
    """A job of an archive; its time stands still at the dump."""

    archived: ArchivedJob
    place: str
    dumped_at: float

    def job(self) -> Job | None:
        """As it was dumped."""
        return self.archived.job

    def now(self) -> float:
        """When the dump began, or the job's own last time if that is unknown."""
        job = self.archived.job
        return self.dumped_at or job.t_inactive or job.t_run or job.t_submit

    def waits(self) -> str:
        """Nothing happens in an archive."""
        return ""

    async def detail(self) -> JobDetail:
        """Read from the archive, away from the screen's own thread."""
        return await asyncio.to_thread(self._read)

    def follow(self) -> None:
        """An archive does not change."""

    def _read(self) -> JobDetail:
        from fluxstate_tui.flux.resources import places

        broken = "Parts of this job are damaged in the archive."
        lines = tuple(OutputLine(c.stream, c.rank, c.shown) for c in self.archived.output())
        return JobDetail(
            events=self.archived.eventlog,
            jobspec=self.archived.jobspec or None,
            output=lines,
            trouble=broken if self.archived.partial else "",
            places=places(self.archived.R),
        )


FOLLOW_AGAIN = 3.0
PAINT_OUTPUT = 0.2


class JobScreen(JobKeys, LiveScreen):
    """Reads the details when it opens and when the job changes; follows its output."""

    CSS_PATH = INNER_CSS
    HELP_TEXT = (
        "One job. The bar is its life from submission to its end, with what each state took; "
        "▲ marks exceptions. Events are counted in seconds since it was submitted. Output comes as "
        "it is written; f goes to its end and stays there until you scroll up."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "menu", "actions", id="job.menu"),
        Binding("c", "cancel", "cancel job", id="job.cancel"),
        Binding("h", "hold", "hold/release", id="job.hold"),
        Binding("f", "follow", "follow output", id="job.follow"),
        Binding("escape", "app.pop_screen", "back", id="job.back", key_display="esc"),
    ]

    def __init__(self, services: Services, source: JobSource) -> None:
        super().__init__(services)
        self.source = source
        self._detail: JobDetail | None = None
        self._tail: OutputTail | None = None
        self._output_dirty = False

    def body(self) -> Iterable[Widget]:
        """Head line, and everything else in one scrolling column."""
        yield Line(id="job-head", classes="summary")
        with_scroll = VerticalScroll(
            Panel(id="job-facts"),
            Panel(id="job-life", classes="block"),
            Panel(id="job-events", classes="block"),
            Panel(id="job-trouble"),
            Panel(id="job-output", classes="block"),
            id="job-scroll",
        )
        yield with_scroll

    def crumbs(self) -> list[str]:
        """Cluster or archive, then the job."""
        job = self.source.job()
        return [self.source.place, f58(job.id) if job is not None else "job"]

    def freshness_parts(self) -> list[Part]:
        """How fresh the queue is; a job of an archive stays as it was dumped."""
        if isinstance(self.source, LiveJob):
            return super().freshness_parts()
        return [("as it was dumped", "$muted")]

    def on_mount(self) -> None:
        """Read the details."""
        super().on_mount()
        self.query_one("#job-scroll").focus()
        self._reread()
        in_background(self, self._follow, "output")
        self.set_interval(PAINT_OUTPUT, self._show_output)

    def show_all(self) -> None:
        """The job as it is now."""
        job = self.source.job()
        if job is None:
            self.query_one("#job-head", Line).say([("This job is not known any more.", "$muted")])
            return
        detail, now = self._detail, self.source.now()
        waits = self.source.waits()
        self.query_one("#job-head", Line).say(head_parts(job, now, waits))
        self.query_one("#job-facts", Panel).say(fact_rows(job, detail, waits))
        if detail is None:
            self.query_one("#job-life", Panel).say([[("Reading …", "$muted")]])
            return
        trouble = self.query_one("#job-trouble", Panel)
        trouble.display = bool(detail.trouble)
        trouble.say([[(detail.trouble, "$state-warn")]])
        width = max(8, min(100, self.size.width - 4))
        lines = life_rows(job, detail.events, now, width)
        self.query_one("#job-life", Panel).say(lines, "LIFE")
        self.query_one("#job-events", Panel).say(event_rows(detail.events), "EVENTS")

    def show_changes(self, changes: Changes) -> None:
        """Read again when this job changed."""
        if isinstance(self.source, LiveJob) and self.source.ref.uid in changes.jobs:
            ids = changes.jobs[self.source.ref.uid]
            if ids is None or self.source.id in ids:
                self.show_all()
                self._reread()

    def tick(self) -> None:
        """A running job grows older, and a waiting one comes nearer to its turn."""
        super().tick()
        job = self.source.job()
        over = job is None or job.state is JobState.INACTIVE
        if not over and isinstance(self.source, LiveJob):
            self.show_all()

    @property
    def acts_on(self) -> ClusterRef | None:
        """The MiniCluster of a live job; a job of an archive stays as it is."""
        return self.source.ref if isinstance(self.source, LiveJob) else None

    def job_targets(self) -> tuple[Job, ...]:
        """This job."""
        job = self.source.job()
        return (job,) if job is not None else ()

    def action_follow(self) -> None:
        """To the end of the output, and stay there until somebody scrolls up."""
        self.query_one("#job-scroll", VerticalScroll).anchor()

    def _reread(self) -> None:
        in_background(self, self._read, "detail")

    async def _read(self) -> None:
        try:
            self._detail = await self.source.detail()
        except FluxstateError as error:
            known = self._detail or JobDetail()
            self._detail = replace(known, trouble=error.message)
        self._output_dirty = True
        self.show_all()

    async def _follow(self) -> None:
        """Until the job has ended; a lost stream is taken up again, from the begin."""
        while True:
            try:
                following = self.source.follow()
                if following is None:
                    return
                async with following as pieces:
                    tail = OutputTail()
                    async for some in pieces:
                        tail.add(some)
                        self._tail, self._output_dirty = tail, True
                return
            except FluxstateError:
                # What was read with the details is shown meanwhile; the header says what is lost.
                await self.services.clock.sleep(FOLLOW_AGAIN)

    def _show_output(self) -> None:
        """A few times a second at most, however fast it is written."""
        if not self._output_dirty or self._detail is None or not self.seen:
            return
        self._output_dirty = False
        tail = self._tail
        if tail is None:
            tail = OutputTail()
            tail.add(self._detail.output)
        rows = tail.rows()
        if not rows and self._detail.trouble:
            return
        self.query_one("#job-output", Panel).say(rows or [(("No output.", "$muted"),)], "OUTPUT")


# Why a job waits, in one sentence: the first thing that somebody asks who looks at one.

MOST_IN_LINE: Final = 20_000
"""With more jobs than that in the queue, nobody's place in it is worked out every second."""


def waiting_text(picture: ClusterPicture, job: Job, now: float) -> str:
    """What it waits for as far as we know; '' if it does not wait. `now` is the cluster's time."""
    if not job.state.pending:
        return ""
    if job.urgency == 0:
        return "it is held: h releases it"
    if job.dependencies:
        return "for " + ", ".join(_dependency(picture, text, now) for text in job.dependencies)
    if job.state is not JobState.SCHED:
        return "for its priority"
    queue = next((queue for queue in picture.queues if queue.name == job.queue), None)
    if queue is not None and not queue.started:
        why = f" ({queue.stop_reason})" if queue.stop_reason else ""
        return f"the queue is stopped{why}: nothing new starts"
    return f"{_place_in_line(picture, job, now)}{_cores(picture, job)}"


def _dependency(picture: ClusterPicture, text: str, now: float) -> str:
    """`after-success=ƒ2Kf9, which is ▶ RUN for 3.000m`."""
    dependency = on_a_job(text)
    if dependency is None or dependency.target is None:
        return dependency_words(text, now)
    other = picture.jobs.get(dependency.target)
    if other is None:
        return text
    seconds = other.runtime(now)
    since = f" for {age(seconds)}" if seconds is not None and other.state.running else ""
    return f"{text}, which is {job_word(other)}{since}"


def _place_in_line(picture: ClusterPicture, job: Job, now: float) -> str:
    """By priority, then by age, as Flux's schedulers go through a queue."""
    active = picture.active.values()
    if len(active) > MOST_IN_LINE:
        return f"one of {plural(picture.counts.pending, 'job')} that wait"
    ready = (JobState.SCHED, JobState.RUN, JobState.CLEANUP)
    others = [one for one in active if one.state in ready and one.queue == job.queue]
    waiting = [one for one in others if one.state.pending and one.urgency > 0]
    before = [one for one in waiting if turn(one) < turn(job)]
    if not before:
        said = "it is the next in line"
    else:
        said = f"{plural(len(before), 'job')} of {len(waiting)} in line come before it"
    running = [one for one in others if one.state.running]
    return said + _latest(picture, [*before, *running], now)


def _latest(picture: ClusterPicture, ahead: Iterable[Job], now: float) -> str:
    """When all that goes before it will be over, if that is known of every job."""
    found = until_idle(ahead, run_times(picture.jobs.values()), _up(picture), now)
    if found.unknown or not (found.limited or found.guessed):
        return ""
    by = "time limits" if not found.guessed else "the history of jobs of the same name"
    return f"; what goes before it is over in about {age(found.seconds)} by {by}"


def _cores(picture: ClusterPicture, job: Job) -> str:
    wanted, there = job.ncores, _up(picture)
    if not wanted or not there:
        return ""
    if wanted > there:
        return f"; it asks for {plural(wanted, 'core')}, and all nodes that are up have {there}"
    busy = sum(one.ncores or 0 for one in picture.active.values() if one.state.running)
    free = max(0, there - busy)
    return f"; it asks for {plural(wanted, 'core')}, {free} of {there} are free"


def _up(picture: ClusterPicture) -> int:
    return sum(node.cores for node in picture.nodes if node.up and not node.drained)
