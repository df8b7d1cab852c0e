"""The journal tells the truth, also after a kill."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluxstate_tui.operations import journal
from fluxstate_tui.operations.base import (
    Consent,
    ConsentKind,
    OperationKind,
    Outcome,
    OutcomeKind,
    Plan,
    Step,
    StepEvent,
    StepState,
)
from fluxstate_tui.operations.journal import Journal
from tests.unit.operations.builders import NOW, REF

PLAN = Plan(
    OperationKind.SAVE,
    REF,
    (Step("pause", "Stop the queue"), Step("dump", "Dump")),
    ("Save it.",),
    Consent(ConsentKind.NONE, ""),
)


def begin(folder: Path) -> Journal:
    return Journal.begin(folder, PLAN, who="me@here", server="https://x", now=NOW)


def test_what_was_meant_done_and_remembered_can_be_read_again(tmp_path: Path) -> None:
    entry = begin(tmp_path)
    entry.step(StepEvent("pause", StepState.DONE, NOW, "Scheduling is stopped"))
    entry.remember("started", ["batch"])
    entry.end(Outcome(OutcomeKind.COMPLETED, "saved"), NOW)
    record = journal.read(entry.path)
    assert record is not None
    assert (record.operation, record.target, record.who) == ("save", REF, "me@here")
    assert record.steps == {"pause": "done"}
    assert record.facts == {"started": ["batch"]}
    assert record.outcome is not None
    assert record.outcome["ended"] == "Completed"
    assert journal.unfinished(tmp_path) == []


def test_a_running_operation_is_not_called_unfinished(tmp_path: Path) -> None:
    entry = begin(tmp_path)
    assert journal.unfinished(tmp_path) == []
    entry.close()


def test_an_operation_without_an_outcome_is_found_at_the_next_start(tmp_path: Path) -> None:
    entry = begin(tmp_path)
    entry.step(StepEvent("pause", StepState.DONE, NOW))
    entry.step(StepEvent("dump", StepState.RUNNING, NOW))
    entry.close()
    (record,) = journal.unfinished(tmp_path)
    assert record.last_step == "dump"


def test_an_undo_that_failed_is_remembered(tmp_path: Path) -> None:
    entry = begin(tmp_path)
    entry.undo_failed("the queue is started again", "no connection")
    entry.close()
    (record,) = journal.unfinished(tmp_path)
    assert record.left == ("the queue is started again",)


def test_closing_an_unfinished_operation_is_final_even_after_a_torn_line(tmp_path: Path) -> None:
    entry = begin(tmp_path)
    entry.step(StepEvent("pause", StepState.DONE, NOW))
    entry.close()
    with entry.path.open("ab") as handle:
        handle.write(b'1234abcd {"kind": "st')
    (record,) = journal.unfinished(tmp_path)
    assert record.torn
    journal.close_unfinished(record, Outcome(OutcomeKind.FAILED, "killed"), NOW)
    assert journal.unfinished(tmp_path) == []
    again = journal.read(entry.path)
    assert again is not None
    assert not again.torn
    assert again.steps == {"pause": "done"}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.integers(min_value=0, max_value=2000))
def test_a_journal_cut_anywhere_is_read_up_to_the_cut(tmp_path: Path, cut: int) -> None:
    entry = begin(tmp_path)
    entry.step(StepEvent("pause", StepState.DONE, NOW))
    entry.end(Outcome(OutcomeKind.COMPLETED, "saved"), NOW)
    data = entry.path.read_bytes()
    entry.path.write_bytes(data[:cut])
    record = journal.read(entry.path)
    whole = data[:cut].count(b"\n")
    if whole == 0:
        assert record is None
    else:
        assert record is not None
        assert bool(record.steps) is (whole >= 2)
        assert (record.outcome is not None) is (whole >= 3)


def test_a_changed_byte_is_never_believed(tmp_path: Path) -> None:
    entry = begin(tmp_path)
    entry.end(Outcome(OutcomeKind.COMPLETED, "saved"), NOW)
    data = entry.path.read_bytes().replace(b"Completed", b"completed")
    entry.path.write_bytes(data)
    record = journal.read(entry.path)
    assert record is not None
    assert record.outcome is None
    assert record.torn


def test_a_disk_that_cannot_be_written_is_an_error_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("in the way")
    with pytest.raises(OSError, match="Not a directory"):
        begin(tmp_path)


def test_an_intent_that_finds_no_room_leaves_nothing_to_be_looked_at(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            begin(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "journal").iterdir()) == []


def test_what_cannot_be_closed_on_a_full_disk_is_not_called_closed(tmp_path: Path) -> None:
    begin(tmp_path).close()
    (record,) = journal.unfinished(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (record.path.stat().st_size, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            journal.close_unfinished(record, Outcome(OutcomeKind.FAILED, "killed"), NOW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert journal.unfinished(tmp_path) == [record]
