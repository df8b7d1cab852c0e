"""A change of a catalog that was cut off is found, with what to do; one that ended is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fluxstate_tui.cli.main import main
from fluxstate_tui.errors import ExitCode
from fluxstate_tui.operations import audit, journal
from tests.unit.cli_archives.conftest import Archives, put

KILLED = """
import os, sys
from pathlib import Path
from fluxstate_tui.clock import SystemClock
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.archives import AuditContext, journaled
from fluxstate_tui.operations.base import OperationKind
what, folder, state = sys.argv[1:]
context = AuditContext(Path(state), SystemClock(), "me@here", "", ClusterRef("", folder, ""))
with journaled(context, OperationKind(f"archives {what}")) as change:
    with change.of("one", "the first line"):
        pass
    with change.of("two", "the second line"):
        os._exit(9)
"""


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("remove", "two may be there still, perhaps without its manifest"),
        ("prune", "to remove it: the second line"),
        ("adopt", "two may lie in the catalog without a manifest"),
        ("put", "adopt what has none, or, if there is none: the second line"),
    ],
)
def test_what_was_killed_is_found_and_closed_without_a_cluster(
    state: Path, folder: Path, capsys: pytest.CaptureFixture[str], what: str, words: str
) -> None:
    argv = [sys.executable, "-c", KILLED, what, str(folder), str(state)]
    assert subprocess.run(argv, check=False).returncode == 9
    nowhere = ("--kubeconfig", str(state / "none"))
    assert main(["unfinished", *nowhere]) == ExitCode.OK
    said = capsys.readouterr().out
    assert f"archives {what} of" in said
    assert words in said
    (record,) = journal.unfinished(state)
    identity = record.path.stem.rpartition("-")[2]
    assert f"unfinished --close {identity}" in said
    dry = ["unfinished", "--close", identity, "--dry-run", "--json", *nowhere]
    assert main(dry) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == {"wouldClose": identity}
    assert main(["unfinished", "--close", identity, "--json", *nowhere]) == ExitCode.OK
    closed = capsys.readouterr()
    assert json.loads(closed.out) == {"closed": identity}
    assert words in closed.err
    assert journal.unfinished(state) == []
    (entry,) = audit.read(state).entries
    assert words in entry.reason


def test_what_failed_and_was_told_is_not_interrupted(
    archives: Archives, state: Path, folder: Path
) -> None:
    (folder / "bad.tar.gz").write_bytes(b"no archive")
    assert archives("adopt", "bad.tar.gz", "--minicluster", "x").code == ExitCode.VERIFICATION
    assert journal.unfinished(state) == []
    (entry,) = audit.read(state).entries
    assert (entry.what, entry.outcome) == ("archives adopt", "Failed")
    assert "bad.tar.gz" in entry.reason


def test_what_is_refused_has_one_line(archives: Archives, state: Path, folder: Path) -> None:
    put(folder, "one")
    assert archives("adopt", "one.tar.gz", "--minicluster", "x").code == ExitCode.REFUSED
    (entry,) = audit.read(state).entries
    assert entry.outcome == "Refused"
    assert journal.unfinished(state) == []


def test_without_a_journal_nothing_is_changed(
    archives: Archives, state: Path, folder: Path
) -> None:
    put(folder, "one")
    put(folder, "two", age=1.0)
    state.mkdir()
    (state / "journal").write_text("in the way")
    refused = archives("remove", "two", "--yes")
    assert refused.code == ExitCode.FAILURE
    assert "the journal cannot be written" in refused.err
    assert (folder / "two.tar.gz").exists()
    assert (folder / "two.json").exists()
