"""The verdict on an archive, with its level: what was checked is said, and nothing more.

L0 the file has bytes; L1 its checksum is the expected one; L2 every member was unpacked, every
checksum of the format is right, every job makes sense, to Flux's own loader too; L3 real Flux
opened it and told the same.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fluxstate_tui.archive.compression import HEAD_BYTES, Format, detect
from fluxstate_tui.archive.findings import Finding, Kind
from fluxstate_tui.archive.manifest import Part
from fluxstate_tui.archive.reader import Archive, Cancelled, Progress, read_archive
from fluxstate_tui.errors import ExitCode
from fluxstate_tui.flux.job import Job, JobResult
from fluxstate_tui.flux.job_json import job_from_json, job_from_rpc
from fluxstate_tui.flux.loader import Effect
from fluxstate_tui.formatting import plural
from fluxstate_tui.private_files import temporary_file, temporary_folder

# Level 3: let real Flux open an archive in recovery mode, where no job starts (since 0.46).

# 10,000 jobs take half a minute on two busy cores (ARCHITECTURE.md#F26).
TIMEOUT = 600.0

_SUFFIXES = {
    Format.TAR: ".tar",
    Format.GZIP: ".tar.gz",
    Format.BZIP2: ".tar.bz2",
    Format.XZ: ".tar.xz",
    Format.ZIP: ".zip",
}


def disagreement(flux: str, source: Path | bytes, jobs: Sequence[Job]) -> str:
    """How Flux's own list differs from ours; '' when it has every job as we read it.

    `flux` is the program. Jobs that ran at the dump must come back FAILED.
    """
    try:
        listed = {job.id: job for job in _listed(flux, source)}
    except (OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError) as error:
        return f"flux cannot open it: {_reason(error)}"
    if len(listed) != len(jobs):
        return f"it lists {len(listed)} jobs, but {len(jobs)} were read"
    for job in jobs:
        theirs = listed.get(job.id)
        if theirs is None:
            return f"it does not list job {job.id}"
        expected = JobResult.FAILED.name if job.state.running else job.status
        if theirs.status != expected:
            return f"it says that job {job.id} is {theirs.status}, not {expected}"
    return ""


def _listed(flux: str, source: Path | bytes) -> list[Job]:
    root = Path(tempfile.gettempdir())
    with _file(source) as path, temporary_folder(root) as directory:

        def ask(*words: str) -> subprocess.CompletedProcess[bytes]:
            return subprocess.run(
                [flux, "start", f"--recovery={path}", flux, *words],
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
                cwd=directory,
                stdin=subprocess.DEVNULL,
            )

        done = ask("jobs", "-A", "-a", "-c0", "--json")
        if done.returncode == 0:
            return [job_from_json(value) for value in json.loads(done.stdout)["jobs"]]
        # It fails at a memo key with a space; this prints what the job-list module answers, a job
        # a line.
        plain = ask("job", "list", "-A", "-c0")
    if plain.returncode == 0:
        return [job_from_rpc(json.loads(line)) for line in plain.stdout.splitlines()]
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    raise ValueError(lines[-1] if lines else f"exit {done.returncode}")


@contextmanager
def _file(source: Path | bytes) -> Iterator[Path]:
    if isinstance(source, Path):
        yield source.absolute()
        return
    suffix = _SUFFIXES.get(detect(source[:HEAD_BYTES]), "")
    with temporary_file(Path(tempfile.gettempdir()), suffix) as (path, file):
        file.write(source)
        file.flush()
        yield path


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"no answer after {TIMEOUT:.0f} s"
    return str(error)


# From the hardest to the mildest: the first kind that was found decides.
_WEIGHT = (
    Kind.ZERO_BYTES,
    Kind.HOSTILE,
    Kind.NOT_AN_ARCHIVE,
    Kind.TRUNCATED,
    Kind.DAMAGED,
)
_EFFECTS = tuple(Effect)
_UNREADABLE = (Kind.ZERO_BYTES, Kind.NOT_AN_ARCHIVE, Kind.TRUNCATED)
_WORDS = {
    Kind.TRUNCATED: "truncated at",
    Kind.DAMAGED: "damaged at",
    Kind.HOSTILE: "hostile:",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result. `level` is the highest that was reached, '' when not even L0.

    `counts` is jobs by status. `archive` is all that could be read.
    """

    kind: Kind
    level: str
    place: str
    message: str
    counts: dict[str, int]
    findings: tuple[Finding, ...]
    archive: Archive

    @property
    def exit_code(self) -> ExitCode:
        """0 good, 1 no archive at all, 6 damaged (or zero bytes, or hostile)."""
        if self.kind.good:
            return ExitCode.OK
        return ExitCode.FAILURE if self.kind is Kind.NOT_AN_ARCHIVE else ExitCode.VERIFICATION

    @property
    def flux_starts(self) -> bool:
        """Whether Flux starts from it with jobs, all or some."""
        unreadable = any(finding.kind in _UNREADABLE for finding in self.findings)
        refused = any(finding.effect is Effect.NO_START for finding in self.findings)
        return not (unreadable or refused)

    @property
    def fate(self) -> str:
        """What Flux would make of a damaged archive, in one line; '' if there is nothing to say."""
        if not self.flux_starts:
            return ""
        there = {one.job.id for one in self.archive.jobs}
        lost = len(self.archive.lost)
        every = len(there | self.archive.lost)
        return f"in Flux: {lost} of {plural(every, 'job')} would be lost" if lost else ""

    def sentence(self) -> str:
        """The verdict in one line."""
        if self.kind.good:
            return f"{self.kind.value} ({self.level}): {self.message}"
        if not self.place:
            return f"{self.kind.value}: {self.message}"
        words = _WORDS.get(self.kind, f"{self.kind.value}:")
        return f"{words} {self.place}: {self.message}"


def verify(
    source: Path | bytes,
    *,
    flux: str | None = None,
    expected: Part | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Verdict:
    """Check an archive as far as possible.

    `flux` is the program for L3 (None = stop at L2); `expected` is the manifest's part, with the
    size and checksum that the file must have. Raises FluxstateError when the file cannot be opened.
    """
    archive = read_archive(source, progress=progress, cancelled=cancelled, thorough=True)
    if expected is not None and archive.sha256 != expected.sha256:
        finding = Finding(
            Kind.DAMAGED,
            f"{archive.size} bytes",
            f"the checksum is not the one of the manifest ({expected.size} bytes)",
        )
        return _bad(archive, (finding, *archive.findings), "L0" if archive.size else "")
    if archive.findings:
        level = "L1" if expected is not None else "L0"
        return _bad(archive, archive.findings, level if archive.size else "")
    if flux is not None:
        wrong = disagreement(flux, source, [one.job for one in archive.jobs])
        if wrong:
            return _bad(archive, (Finding(Kind.DAMAGED, "real Flux", wrong),), "L2")
    return _good(archive, "L2" if flux is None else "L3")


def _weight(finding: Finding) -> tuple[int, int]:
    effect = len(_EFFECTS) if finding.effect is None else _EFFECTS.index(finding.effect)
    return _WEIGHT.index(finding.kind), effect


def counts(archive: Archive) -> dict[str, int]:
    """How many jobs of each status."""
    return dict(Counter(one.job.status for one in archive.jobs))


def _good(archive: Archive, level: str) -> Verdict:
    kind = Kind.COMPLETE if archive.jobs else Kind.EMPTY
    jobs = f"{len(archive.jobs)} jobs in {archive.entries} entries"
    by = f", flux-core {archive.core_version}" if archive.core_version else ""
    message = f"{jobs}{by}" if archive.jobs else f"0 jobs in {archive.entries} entries{by}"
    return Verdict(
        kind=kind,
        level=level,
        place="",
        message=message,
        counts=counts(archive),
        findings=(),
        archive=archive,
    )


def _bad(archive: Archive, findings: tuple[Finding, ...], level: str) -> Verdict:
    worst = min(findings, key=_weight)
    return Verdict(
        kind=worst.kind,
        level=level,
        place=worst.place,
        message=worst.message,
        counts=counts(archive),
        findings=findings,
        archive=archive,
    )
