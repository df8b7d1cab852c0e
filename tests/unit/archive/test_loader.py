"""What Flux would not load is never called good, and what it loads is never called lost."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from fluxstate_tui.archive import render
from fluxstate_tui.archive.preview import PredictedOutcome, preview
from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.archive.verify import Verdict, verify
from fluxstate_tui.errors import ExitCode
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.flux.loader import Effect
from tests.unit.archive import given
from tests.unit.archive.mutations import CHANGED, GOOD, MUTATIONS, Mutation, Outcome

_NAME = f58(CHANGED)
_FLUX = shutil.which("flux")
_needs_flux = pytest.mark.skipif(_FLUX is None, reason="needs flux-core: no flux on the PATH")
_EACH = pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
_EXPECTED = {
    Outcome.LOADED: None,
    Outcome.LOST: Effect.LOST,
    Outcome.NO_START: Effect.NO_START,
}


def _effect(verdict: Verdict) -> Effect | None:
    """The worst that the verdict says of the restore."""
    effects = [finding.effect for finding in verdict.findings if finding.effect is not None]
    return min(effects, key=list(Effect).index, default=None)


@_EACH
def test_the_verdict_says_what_real_flux_did(mutation: Mutation) -> None:
    verdict = verify(mutation.archive)
    assert _effect(verdict) is _EXPECTED[mutation.outcome], verdict.sentence()
    assert verdict.kind.good is (mutation.outcome is Outcome.LOADED), verdict.sentence()
    if mutation.outcome is not Outcome.LOADED:
        assert verdict.exit_code is ExitCode.VERIFICATION
        assert verdict.message.endswith(_EXPECTED[mutation.outcome].value)  # type: ignore[union-attr]


def _loaded(mutation: Mutation, folder: Path) -> set[int] | None:
    """The jobs that real Flux lists from the archive; None if it does not start."""
    assert _FLUX is not None
    path = folder / "archive.tar.gz"
    path.write_bytes(mutation.archive)
    argv = [_FLUX, "start", f"--recovery={path}", _FLUX, "jobs", "-A", "-a", "-c0", "--json"]
    done = subprocess.run(
        argv, capture_output=True, timeout=60, cwd=folder, stdin=subprocess.DEVNULL, check=False
    )
    return {job["id"] for job in json.loads(done.stdout)["jobs"]} if done.stdout else None


@_needs_flux
@_EACH
def test_real_flux_does_as_recorded(mutation: Mutation, tmp_path: Path) -> None:
    jobs = _loaded(mutation, tmp_path)
    changed = CHANGED if any("0200" in entry.name for entry in mutation.entries) else GOOD
    expected = {
        Outcome.LOADED: {GOOD, changed},
        Outcome.LOST: {GOOD},
        Outcome.NO_START: None,
    }
    assert jobs == expected[mutation.outcome]


@pytest.mark.parametrize("name", given.SMALL)
def test_what_real_flux_wrote_stays_good(name: str) -> None:
    verdict = verify(given.path(name))
    assert verdict.kind.good, verdict.sentence()
    assert not verdict.archive.refused


def test_a_verdict_says_how_many_of_the_jobs_a_restore_would_lose() -> None:
    lost = next(one for one in MUTATIONS if one.name == "submit only")
    verdict = verify(lost.archive)
    text = list(render.verdict_text(verdict))
    assert text[0] == (
        f"damaged at job {_NAME}, eventlog: its state (NEW) is invalid after the replay; "
        "the job would be lost"
    )
    assert "in Flux: 1 of 2 jobs would be lost" in text
    value = json.loads(render.verdict_json(verdict))
    assert (value["would_be_lost"], value["flux_starts"]) == ([_NAME], True)


def test_a_verdict_says_that_flux_will_not_start() -> None:
    broken = next(one for one in MUTATIONS if one.name == "exception without note")
    verdict = verify(broken.archive)
    assert verdict.sentence() == (
        f"damaged at job {_NAME}, eventlog line 7: event exception has no valid note; "
        "Flux will not start from it"
    )
    assert json.loads(render.verdict_json(verdict))["flux_starts"] is False


def test_a_preview_starts_no_job_that_flux_would_lose() -> None:
    submitted = given.job_entries(CHANGED, given.pending()[:1])
    archive = read_archive(given.archive(*given.job_entries(GOOD, given.pending()), *submitted))
    found = preview(archive, size=2)
    assert [one.fate for one in found.jobs] == [PredictedOutcome.STARTS, PredictedOutcome.LOST]
