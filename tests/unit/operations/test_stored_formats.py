"""What earlier versions left on disks is read for ever (files: tests/data/formats/README.md)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fluxstate_tui.archive.manifest import FORMAT, CatalogEntry
from fluxstate_tui.catalog.catalog import read_catalog
from fluxstate_tui.catalog.folder import LocalFolder
from fluxstate_tui.catalog.maintenance import choose
from fluxstate_tui.flux.queue import Queue
from fluxstate_tui.operations import audit, journal
from fluxstate_tui.operations.base import Outcome, OutcomeKind
from fluxstate_tui.operations.recovery import judge
from fluxstate_tui.operations.snapshot import PAUSED_BY_US
from tests.unit.archive import given
from tests.unit.operations.builders import NOW, REF, observation

FORMATS = Path(__file__).parents[2] / "data" / "formats"
SAVED = "20261121-212000-flux-sample"


@pytest.fixture(params=sorted(path.name for path in FORMATS.iterdir() if path.is_dir()))
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The state directory, and the folder of archives, as that version left them."""
    shutil.copytree(FORMATS / request.param, tmp_path, dirs_exist_ok=True)
    shutil.copy(given.path("mixed"), tmp_path / f"{SAVED}.tar.gz")
    return tmp_path


async def test_an_archive_with_its_manifest_is_found_whole_with_all_that_was_known(
    state: Path,
) -> None:
    entries: tuple[CatalogEntry, ...] = await read_catalog(LocalFolder(), str(state))
    (entry,) = choose(entries, [SAVED])
    assert entry.problem == ""
    manifest = entry.manifest
    assert manifest is not None
    assert (manifest.minicluster, manifest.namespace, manifest.uid) == (
        REF.name,
        "default",
        REF.uid,
    )
    assert (manifest.size, manifest.core_version, manifest.created_by) == (2, "0.88.0", "me@here")
    assert manifest.counts == {"COMPLETED": 4, "SCHED": 2}
    assert (manifest.verified, manifest.idle) == ("L2", True)
    assert (manifest.parts[0].size, entry.size) == (17905, 17905)
    assert (manifest.extra["restore"], manifest.extra["queues_started"]) == ("paused", '[""]')
    assert manifest.format <= FORMAT


def test_an_operation_that_was_interrupted_then_is_found_judged_and_closed_now(
    state: Path,
) -> None:
    (record,) = journal.unfinished(state)
    assert (record.operation, record.target, record.who) == ("save", REF, "me@here")
    assert record.steps == {"pause": "done", "wait": "running"}
    assert record.facts == {"started": [""]}
    assert record.left == ("the queue is started again",)
    assert not record.torn
    stopped = (Queue("", enabled=True, started=False, stop_reason=f"{PAUSED_BY_US} me"),)
    assert judge(record, observation(queues=stopped), "").next == "resume"
    journal.close_unfinished(record, Outcome(OutcomeKind.FAILED, "interrupted"), NOW)
    assert journal.unfinished(state) == []


def test_an_audit_log_that_was_begun_then_is_whole_and_goes_on_now(state: Path) -> None:
    log = audit.read(state)
    assert log.problem == ""
    first, second = log.entries
    assert (first.what, first.outcome, first.reason) == ("save", "Completed", "saved 6 jobs ƒ")
    assert first.commands == ("flux queue stop --all  # Scheduling is stopped",)
    audit.append(state, second)
    assert audit.read(state) == audit.Log((first, second, second))
