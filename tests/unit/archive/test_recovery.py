"""Level 3 with a stand-in for the program flux: what it says is compared, not believed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fluxstate_tui.archive.verify import verify
from fluxstate_tui.flux.job import JobResult, JobState
from tests.unit.archive import given


def _flux(tmp_path: Path, script: str) -> str:
    program = tmp_path / "flux"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def _answering(tmp_path: Path, jobs: object) -> str:
    (tmp_path / "answer.json").write_text(json.dumps({"jobs": jobs}))
    return _flux(tmp_path, f'test "$1" = start && cat {tmp_path}/answer.json')


def test_the_same_jobs_reach_level_3(tmp_path: Path) -> None:
    flux = _answering(tmp_path, given.truth("running")["recovery"])
    verdict = verify(given.path("running"), flux=flux)
    assert (verdict.kind.good, verdict.level) == (True, "L3")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda jobs: jobs[1:], "lists 35 jobs, but 36 were read"),
        (lambda jobs: [{**jobs[0], "id": 5}, *jobs[1:]], "does not list job"),
        (lambda jobs: [{**jobs[0], "state": "PRIORITY"}, *jobs[1:]], "is PRIORITY, not SCHED"),
    ],
)
def test_other_jobs_are_a_disagreement(change: object, words: str, tmp_path: Path) -> None:
    assert callable(change)
    verdict = verify(
        given.path("mixed"), flux=_answering(tmp_path, change(given.truth("mixed")["recovery"]))
    )
    assert (verdict.kind.good, verdict.level) == (False, "L2")
    assert words in verdict.message


def test_a_flux_that_fails_is_quoted(tmp_path: Path) -> None:
    flux = _flux(tmp_path, "echo 'flux-restore: Write error' >&2; exit 1")
    assert "flux-restore: Write error" in verify(given.path("mixed"), flux=flux).message
    assert "cannot open" in verify(given.path("mixed"), flux="/nowhere/flux").message


def test_a_sound_archive_is_sound_though_flux_jobs_fails_at_a_memo(tmp_path: Path) -> None:
    jobs = [
        {
            **job,
            "state": JobState[job["state"]].value,
            "result": JobResult[job["result"]].value if job.get("result") else 0,
            "annotations": {"user": {"a key": "with a space"}},
        }
        for job in given.truth("mixed")["recovery"]
    ]
    (tmp_path / "list").write_text("".join(json.dumps(job) + "\n" for job in jobs))
    failing = 'test "$4" != jobs || { echo "ERROR: AttributeError: a key" >&2; exit 1; }'
    flux = _flux(tmp_path, f"{failing}\ntest \"$4 $5\" = 'job list' && cat {tmp_path}/list")
    verdict = verify(given.path("mixed"), flux=flux)
    assert (verdict.kind.good, verdict.level) == (True, "L3"), verdict.sentence()
    (tmp_path / "list").write_text("".join(json.dumps(job) + "\n" for job in jobs[1:]))
    assert "jobs, but" in verify(given.path("mixed"), flux=flux).message
