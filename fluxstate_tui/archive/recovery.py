"""Level 3: let real Flux open an archive in recovery mode, where no job starts (since 0.46)."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fluxstate_tui.archive.compression import HEAD_BYTES, Format, detect
from fluxstate_tui.model.flux_json import job_from_json
from fluxstate_tui.model.job import Job, JobResult

# 10,000 jobs take half a minute on two busy cores (facts/flux.md, f).
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
    with _file(source) as path, tempfile.TemporaryDirectory(prefix="fluxstate-") as directory:
        command = [flux, "start", f"--recovery={path}", flux, "jobs", "-A", "-a", "-c0", "--json"]
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
            cwd=directory,
            stdin=subprocess.DEVNULL,
        )
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ValueError(lines[-1] if lines else f"exit {done.returncode}")
    return [job_from_json(value) for value in json.loads(done.stdout)["jobs"]]


@contextmanager
def _file(source: Path | bytes) -> Iterator[Path]:
    if isinstance(source, Path):
        yield source.absolute()
        return
    suffix = _SUFFIXES.get(detect(source[:HEAD_BYTES]), "")
    with tempfile.NamedTemporaryFile(prefix="fluxstate-", suffix=suffix) as file:
        file.write(source)
        file.flush()
        yield Path(file.name)


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"no answer after {TIMEOUT:.0f} s"
    return str(error)
