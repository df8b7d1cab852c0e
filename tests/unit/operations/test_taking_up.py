"""What a killed operation left is put right with what its journal names."""

from __future__ import annotations

from pathlib import Path

from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import OperationKind
from fluxstate_tui.operations.journal import Record
from fluxstate_tui.operations.recovery import Finding


def record(**facts: object) -> Record:
    return Record(
        path=Path("20261201-000000-migrate-flux-sample-1.jsonl"),
        operation="migrate",
        target=ClusterRef("ns", "flux-sample", "uid"),
        who="me@here",
        server="https://cluster",
        began=0.0,
        facts=dict(facts),
    )


def test_a_restore_takes_the_archive_that_the_journal_names_and_no_default() -> None:
    killed = record(archive="/state/fluxstate/one.tar.gz")
    assert (
        Finding(killed, (), next=OperationKind.RESTORE).choices.archive
        == "/state/fluxstate/one.tar.gz"
    )
    assert Finding(killed, (), next=OperationKind.RESUME).choices.archive == ""
    assert Finding(record(), (), next=OperationKind.RESTORE).choices.archive == ""
