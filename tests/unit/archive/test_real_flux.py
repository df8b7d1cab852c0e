"""Real Flux opens what the writer writes, and agrees with the reader (level L3)."""

from __future__ import annotations

import shutil

import pytest

from fluxstate_tui.archive.container import iter_entries
from fluxstate_tui.archive.findings import Kind
from fluxstate_tui.archive.verify import verify
from fluxstate_tui.archive.writer import write_archive
from tests.unit.archive import given

_FLUX = shutil.which("flux")
_SKIP = pytest.mark.skipif(_FLUX is None, reason="needs flux-core: no flux on the PATH")


@_SKIP
@pytest.mark.parametrize("name", ["mixed", "running", "old-0.66", "empty"])
def test_real_flux_lists_the_jobs_as_the_reader_does(name: str) -> None:
    verdict = verify(given.path(name), flux=_FLUX)
    assert (verdict.kind.good, verdict.level) == (True, "L3"), verdict.sentence()


@_SKIP
@pytest.mark.parametrize("suffix", [".tar", ".tgz", ".tar.bz2", ".tar.xz", ".zip"])
def test_real_flux_opens_every_format_that_is_written(suffix: str) -> None:
    entries = list(iter_entries(given.path("mixed").read_bytes()))
    verdict = verify(write_archive(entries, suffix), flux=_FLUX)
    assert (verdict.kind, verdict.level) == (Kind.COMPLETE, "L3"), verdict.sentence()


@_SKIP
def test_real_flux_opens_an_archive_that_was_made_here() -> None:
    jobs = given.job_entries(1 << 24, given.finished()) + given.job_entries(
        2 << 24, given.pending()
    )
    verdict = verify(given.archive(*jobs), flux=_FLUX)
    assert (verdict.kind, verdict.level) == (Kind.COMPLETE, "L3"), verdict.sentence()
