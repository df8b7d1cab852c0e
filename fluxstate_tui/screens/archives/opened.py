"""An archive as screens need it, made ready in a thread so that nothing waits for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fluxstate_tui.archive.by_id import ById
from fluxstate_tui.archive.collecting import without_collector
from fluxstate_tui.archive.findings import Finding, Kind
from fluxstate_tui.archive.reading import Reading
from fluxstate_tui.model.job import Job
from fluxstate_tui.model.steps import let_go, stretches
from fluxstate_tui.store.picture import JobCounts
from fluxstate_tui.widgets.line import Part
from fluxstate_tui.widgets.words import moment

if TYPE_CHECKING:
    from fluxstate_tui.archive.verify import Verdict
    from fluxstate_tui.model.reference import ClusterRef

Load = Callable[[Reading], Awaitable["Verdict"]]


@dataclass(frozen=True, slots=True)
class Opened:
    """A verified archive with its jobs by id. `ref` is the MiniCluster whose catalogue has it."""

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
        return Opened(name, verdict, jobs, count(jobs.values()), ref, path)


def let_go_of(opened: Opened) -> None:
    """Nobody looks at it any more: a million jobs are not freed in one long step."""
    let_go(opened.verdict.archive.jobs)
    opened.jobs.let_go()


def count(jobs: Iterable[Job]) -> JobCounts:
    """Pending, running, done and failed jobs, of any number of them."""
    whole = JobCounts()
    for some in stretches(jobs):
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
    from fluxstate_tui.archive.beside import expected_part
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
