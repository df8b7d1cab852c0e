"""An archive as screens need it, made ready in a thread so that nothing waits for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from fluxstate_tui.archive.findings import Finding, Kind
from fluxstate_tui.archive.job_map import ById, without_collector
from fluxstate_tui.archive.progress import Reading
from fluxstate_tui.chunked import batched, clear_in_chunks
from fluxstate_tui.flux.job import Job
from fluxstate_tui.formatting import Word, moment, plural, size
from fluxstate_tui.live.picture import JobCounts
from fluxstate_tui.tui.screens.dialog import Dialog
from fluxstate_tui.tui.theme import INNER_CSS
from fluxstate_tui.tui.widgets.lines import Line, Part, Row

if TYPE_CHECKING:
    from textual.screen import Screen

    from fluxstate_tui.archive.reader import Archive
    from fluxstate_tui.archive.verify import Verdict
    from fluxstate_tui.minicluster.minicluster import ClusterRef
    from fluxstate_tui.tui.screens.services import Services


Load = Callable[[Reading], Awaitable["Verdict"]]


@dataclass(frozen=True, slots=True)
class Opened:
    """A verified archive with its jobs by id. `ref` is the MiniCluster whose catalog has it."""

    name: str
    verdict: Verdict
    jobs: ById[Job]
    counts: JobCounts
    ref: ClusterRef | None = None
    path: Path | None = None

    @property
    def partial(self) -> bool:
        """Something is wrong with it: what is shown may not be all."""
        return not self.verdict.kind.good

    @property
    def cut(self) -> bool:
        """A part of it was read, and more may be missing."""
        return self.partial and self.verdict.kind not in (Kind.ZERO_BYTES, Kind.NOT_AN_ARCHIVE)

    def dumped_parts(self) -> list[Part]:
        """For a header: when it was dumped, and aloud if it is not whole."""
        at = self.verdict.archive.dumped_at
        when: Part = (f"dumped {moment(at)[5:16]}" if at else "archive", "$muted")
        return [("▲ PARTIAL  ", "$state-warn"), when] if self.cut else [when]


def prepare(
    name: str, verdict: Verdict, ref: ClusterRef | None = None, path: Path | None = None
) -> Opened:
    """Index and count the jobs."""
    with without_collector(len(verdict.archive.jobs)):
        listed = [one.job for one in verdict.archive.jobs]
        jobs = ById([job.id for job in listed], listed)
        return Opened(
            name=name, verdict=verdict, jobs=jobs, counts=count(jobs.values()), ref=ref, path=path
        )


def let_go_of(opened: Opened) -> None:
    """Nobody looks at it any more: a million jobs are not freed in one long step."""
    clear_in_chunks(opened.verdict.archive.jobs)
    opened.jobs.clear_in_chunks()


def count(jobs: Iterable[Job]) -> JobCounts:
    """Pending, running, done and failed jobs, of any number of them."""
    whole = JobCounts()
    for some in batched(jobs):
        part = JobCounts()
        part.recount(some)
        whole.pending += part.pending
        whole.running += part.running
        whole.done += part.done
        whole.failed += part.failed
    return whole


async def read_file(path: Path, reading: Reading) -> Verdict:
    """Verify a local file in a thread; against the manifest beside it, if there is one."""
    return await reading.in_thread(lambda: _verify(path, reading))


def _verify(path: Path, reading: Reading) -> Verdict:
    from fluxstate_tui.archive.manifest import expected_part
    from fluxstate_tui.archive.verify import verify

    expected, trouble = None, ""
    try:
        expected = expected_part(path)
    except (OSError, ValueError) as error:
        trouble = str(error)
    verdict = verify(path, expected=expected, progress=reading.progress, cancelled=reading.stopped)
    if not trouble:
        return verdict
    finding = Finding(Kind.DAMAGED, "its manifest", trouble)
    return replace(verdict, findings=(*verdict.findings, finding))


# The verdict on an archive in words, colour and glyph, and what it holds in one line.

VERDICTS = {
    Kind.COMPLETE: Word("✓", "complete", "ok"),
    Kind.EMPTY: Word("○", "empty", "ok"),
    Kind.ZERO_BYTES: Word("✗", "zero bytes", "bad"),
    Kind.TRUNCATED: Word("▲", "truncated", "bad"),
    Kind.DAMAGED: Word("▲", "damaged", "bad"),
    Kind.NOT_AN_ARCHIVE: Word("✗", "not an archive", "bad"),
    Kind.HOSTILE: Word("✗", "hostile", "bad"),
}
_LEVELS = {
    "L0": "its size was looked at",
    "L1": "its checksum is right",
    "L2": "every entry and job was checked",
    "L3": "Flux itself opened it",
}
_BAR = 24
_SHOWN = 20


def verdict_parts(verdict: Verdict, *, wide: bool) -> list[Part]:
    """`✓ complete (L2): 36 jobs in 203 entries, flux-core 0.88.0`; if wide, what L2 means."""
    word = VERDICTS[verdict.kind]
    parts: list[Part] = [(f"{word.glyph} {verdict.sentence()}", f"$state-{word.tone}")]
    if verdict.kind.good and wide:
        parts.append((f"  {verdict.level}: {_LEVELS.get(verdict.level, '')}", "$muted"))
    return parts


def finding_rows(opened: Opened) -> list[Row]:
    """What is wrong, each with its place; first of all that this is not the whole archive."""
    verdict = opened.verdict
    jobs = plural(len(verdict.archive.jobs), "job")
    rows: list[Row] = []
    if opened.cut:
        partial = f"▲ PARTIAL: {jobs} could be read; how many are missing is not known."
        rows.append(((partial, "$state-warn bold"),))
    for finding in verdict.findings[:_SHOWN]:
        place = f"{finding.place}: " if finding.place else ""
        rows.append(
            (
                (f"{VERDICTS[finding.kind].glyph} {finding.kind.value} ", "$state-bad"),
                (place, "$muted"),
                (finding.message, ""),
            )
        )
    if len(verdict.findings) > _SHOWN:
        rows.append(((f"… and {len(verdict.findings) - _SHOWN} more", "$muted"),))
    return rows


def count_parts(opened: Opened) -> list[Part]:
    """`12 pending  3 running …`, marked when that is only a part."""
    counts = opened.counts
    if opened.partial and not opened.cut:
        return []
    marked: list[Part] = [("at least  ", "$state-warn")] if opened.cut else []
    numbers = (
        (counts.pending, "pending", "wait"),
        (counts.running, "running", "busy"),
        (counts.done, "done", "ok"),
        (counts.failed, "failed", "bad"),
    )
    for number, word, tone in numbers:
        marked += [(f"{number} ", f"$state-{tone}"), (f"{word}  ", "$muted")]
    return marked


def identity_parts(archive: Archive, *, wide: bool) -> list[Part]:
    """Size, and if wide also checksum and the nodes it was made on."""
    if not wide:
        return [(size(archive.size), "$muted")]
    found = archive.resources
    nodes = f"{plural(found.nnodes, 'node')}, {found.ncores} cores  " if found is not None else ""
    return [(f"{nodes}{size(archive.size)}  sha256 {archive.sha256[:12]}", "$muted")]


def progress_parts(reading: Reading) -> list[Part]:
    """`◔ reading ████░░░░ 43 %  412 of 960 MB`."""
    if reading.stopped():
        return [("stopping …", "$muted")]
    full = round(reading.share * _BAR)
    parts: list[Part] = [(f"◔ {reading.what}  ", "$state-busy")]
    if reading.total:
        parts += [
            ("█" * full, "$state-busy"),
            ("░" * (_BAR - full), "$rule"),
            (f" {reading.share:4.0%}  ", ""),
            (f"{size(reading.done)} of {size(reading.total)}", "$muted"),
        ]
    return [*parts, ("   esc cancels", "$muted")]


# Open one job of an archive.


def push_job(screen: Screen[Any], services: Services, opened: Opened, job_id: int) -> None:
    """Show that job over this screen, if the archive has it."""
    from fluxstate_tui.tui.screens.jobs.job import JobOfArchive, JobScreen

    archived = opened.verdict.archive.job(job_id)
    if archived is not None:
        source = JobOfArchive(archived, opened.name, opened.verdict.archive.dumped_at)
        screen.app.push_screen(JobScreen(services, source))


# The path of a file of this machine.


class FileDialog(Dialog[Path]):
    """Relative paths count from the folder of the first archive."""

    CSS_PATH = INNER_CSS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "plan", "open", id="file.open", key_display="↵", priority=True),
    ]

    def __init__(self, folder: Path) -> None:
        super().__init__("An archive of this machine")
        self._folder = folder

    def content(self) -> Iterable[Widget]:
        """Where it counts from, the path, and what is wrong with it."""
        where = Line()
        where.say([(f"in {self._folder}, or an absolute path", "$muted")])
        yield where
        yield Input(id="file-path", compact=True, placeholder="archive.tar.gz")
        yield Line(id="file-trouble")

    def on_mount(self) -> None:
        """Write at once."""
        self.query_one("#file-path").focus()

    def action_plan(self) -> None:
        """Give the path back, if there is such a file."""
        text = self.query_one("#file-path", Input).value.strip()
        try:
            path = self._folder / Path(text).expanduser()
            there = bool(text) and path.is_file()
        except (OSError, ValueError, RuntimeError):
            there = False
        if there:
            self.dismiss(path)
        else:
            self.query_one("#file-trouble", Line).say([("There is no such file.", "$state-bad")])
