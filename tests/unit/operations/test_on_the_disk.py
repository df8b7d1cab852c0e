"""What is written is on the disk before anything relies on it (P2, P10): the order is looked at."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.catalog.folder import new_file
from fluxstate_tui.operations import audit
from fluxstate_tui.operations.base import (
    Consent,
    ConsentKind,
    OperationKind,
    OutcomeKind,
    Plan,
    Step,
)
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.steps import Run, Script, Task
from tests.unit.operations.builders import REF
from tests.unit.operations.test_audit import ENTRY


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes]]:
    """Path of what was flushed to the disk, and its content at that moment, one after the other."""
    seen: list[tuple[str, bytes]] = []
    real: Callable[[int], None] = os.fsync

    def fsync(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        seen.append((str(path), path.read_bytes() if path.is_file() else b""))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return seen


async def test_each_step_is_in_the_journal_on_the_disk_before_it_is_done(
    context: OperationContext, flushed: list[tuple[str, bytes]]
) -> None:
    steps = (Step("first", "First"), Step("second", "Second"))
    known: list[bytes] = []

    async def act(run: Run) -> str:
        known.append(next(data for path, data in reversed(flushed) if path.endswith(".jsonl")))
        return "done"

    plan = Plan(OperationKind.SAVE, REF, steps, (), Consent(ConsentKind.NONE, "?"))
    script = Script([Task(step, act) for step in steps], lambda: "saved")
    outcome = await Operation(context, plan, script).run(lambda event: None)
    assert outcome.kind is OutcomeKind.COMPLETED
    first, second = known
    assert b'"kind": "intent"' in first
    assert b'"state": "running", "step": "first"' in first
    assert b"second" not in first.splitlines()[-1]
    assert b'"state": "done", "step": "first"' in second
    assert b'"state": "running", "step": "second"' in second
    (path,) = (context.state_dir / "journal").glob("*.jsonl")
    whole = path.read_bytes()
    assert (str(path), whole) in flushed  # the outcome too
    assert b'"kind": "outcome"' in whole
    assert (str(path.parent), b"") in flushed  # so that the file is found


def test_a_new_file_is_flushed_before_it_has_its_name_and_its_folder_after(
    tmp_path: Path, flushed: list[tuple[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def link(source: str | Path, target: str | Path) -> None:
        flushed.append((f"link {target}", b""))
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    with new_file(tmp_path / "a") as target:
        target.write(b"whole")
    (part, content), (named, _), (folder, _) = flushed
    assert (Path(part).parent, content) == (tmp_path, b"whole")
    assert (named, folder) == (f"link {tmp_path / 'a'}", str(tmp_path))


def test_a_line_of_the_audit_log_is_on_the_disk_when_it_is_said_to_be_written(
    tmp_path: Path, flushed: list[tuple[str, bytes]]
) -> None:
    audit.append(tmp_path, ENTRY)
    path = tmp_path / audit.FILE
    assert (str(path), path.read_bytes()) in flushed
