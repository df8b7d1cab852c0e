"""The audit log: everything is in it, in order, and what was done to it afterwards shows."""

from __future__ import annotations

import asyncio
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.operations import audit, journal, recovery
from fluxstate_tui.operations import audit as refusals
from fluxstate_tui.operations.audit import shell_commands
from fluxstate_tui.operations.base import (
    Consent,
    ConsentKind,
    OperationKind,
    OutcomeKind,
    Plan,
    Step,
)
from fluxstate_tui.operations.journal import Journal, Record
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.steps import RefusedError, Run, Script, Task
from tests.unit.operations.builders import NOW, REF

ENTRY = audit.Entry(
    at=NOW,
    who="me@here",
    what="save",
    namespace="default",
    name="flux-sample",
    uid="uid-1",
    server="https://cluster",
    outcome="Completed",
    reason="saved ƒ\n[/bold]",
    commands=("flux queue stop --all",),
)
SAVE = Step("dump", "Dump", "flux dump FOLDER/.part-ID.tar.gz")
NEVER = Step("never", "Never", "rm everything")


def filled(state: Path, count: int = 4) -> list[audit.Entry]:
    entries = [replace(ENTRY, at=NOW + number) for number in range(count)]
    for entry in entries:
        audit.append(state, entry)
    return entries


def test_what_was_written_is_read(tmp_path: Path) -> None:
    entries = filled(tmp_path)
    assert audit.read(tmp_path) == audit.Log(tuple(entries))
    assert (tmp_path / audit.FILE).stat().st_mode & 0o077 == 0
    assert audit.read(tmp_path / "nowhere") == audit.Log(())


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("how", ["changed", "removed", "twice", "swapped"])
def test_a_line_that_was_touched_is_noticed(tmp_path: Path, number: int, how: str) -> None:
    filled(tmp_path)
    path = tmp_path / audit.FILE
    lines = path.read_bytes().splitlines(keepends=True)
    if how == "changed":
        lines[number] = lines[number].replace(b"Completed", b"Failed")
    elif how == "removed":
        del lines[number]
    elif how == "twice":
        lines.insert(number, lines[number])
    else:
        other = (number + 1) % 4
        lines[number], lines[other] = lines[other], lines[number]
    path.write_bytes(b"".join(lines))
    assert audit.read(tmp_path).problem


def test_lines_that_were_cut_off_at_the_end_are_noticed(tmp_path: Path) -> None:
    filled(tmp_path)
    path = tmp_path / audit.FILE
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    assert "newest entries" in audit.read(tmp_path).problem


def test_after_a_torn_line_the_log_goes_on_and_the_tear_shows(tmp_path: Path) -> None:
    first, _ = filled(tmp_path, 2)
    path = tmp_path / audit.FILE
    path.write_bytes(path.read_bytes()[:-20])
    assert "cut off" in audit.read(tmp_path).problem
    third = replace(ENTRY, at=NOW + 9)
    audit.append(tmp_path, third)
    log = audit.read(tmp_path)
    assert log.entries == (first, third)
    assert "line 2" in log.problem


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(position=st.integers(min_value=0), bit=st.integers(0, 7))
def test_no_bit_can_be_flipped_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, position: int, bit: int
) -> None:
    state = tmp_path_factory.mktemp("state")
    filled(state, 3)
    path = state / audit.FILE
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 1 << bit
    path.write_bytes(bytes(data))
    assert audit.read(state).problem


def _write_some(state: Path, who: str) -> None:
    for number in range(20):
        audit.append(state, replace(ENTRY, who=who, at=NOW + number))


def test_two_programs_at_once_keep_one_chain(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    programs = [
        context.Process(target=_write_some, args=(tmp_path, who)) for who in ("alice", "bob")
    ]
    for program in programs:
        program.start()
    for program in programs:
        program.join(30)
    log = audit.read(tmp_path)
    assert log.problem == ""
    assert len(log.entries) == 40


async def _fine(run: Run) -> str:
    run.shell_commands("kubectl exec pod -- flux dump x.tar.gz")
    return "fine"


async def _fail(run: Run) -> str:
    raise FluxstateError("the disk is full")


def operation(context: OperationContext, *actions: object) -> Operation:
    steps = (SAVE, NEVER)
    plan = Plan(OperationKind.SAVE, REF, steps, (), Consent(ConsentKind.NONE, "?"))
    tasks = [Task(SAVE, _fine), Task(NEVER, _fail)][: len(actions) or 1]
    return Operation(context, plan, Script(tasks, lambda: "saved it"))


async def test_every_operation_that_ran_is_in_it_however_it_ended(
    context: OperationContext,
) -> None:
    await operation(context).run(lambda event: None)
    await operation(context, 1, 2).run(lambda event: None)
    good, bad = audit.read(context.state_dir).entries
    assert (good.outcome, good.reason, good.who) == ("Completed", "saved it", context.who)
    assert good.server == context.cluster.server
    assert good.commands == ("kubectl exec pod -- flux dump x.tar.gz  # fine",)
    assert bad.outcome == "Failed"
    assert "disk is full" in bad.reason
    assert good.target == bad.target == REF


async def test_a_log_that_cannot_be_written_makes_no_operation_fail(
    context: OperationContext,
) -> None:
    await asyncio.to_thread((context.state_dir / audit.FILE).mkdir, 0o700, True)
    outcome = await operation(context).run(lambda event: None)
    assert outcome.kind is OutcomeKind.COMPLETED
    assert "audit log could not be written" in outcome.advice


async def test_closing_what_was_interrupted_is_in_it_too(context: OperationContext) -> None:
    plan = Plan(OperationKind.SAVE, REF, (SAVE,), (), Consent(ConsentKind.NONE, "?"))
    server = context.cluster.server
    Journal.begin(context.state_dir, plan, who="ghost", server=server, now=NOW).close()
    (record,) = journal.unfinished(context.state_dir)
    recovery.close(context, recovery.Finding(record, ("first", "Nothing of it is left.")))
    (entry,) = audit.read(context.state_dir).entries
    assert (entry.who, entry.outcome) == ("ghost", "Failed")
    assert "interrupted" in entry.reason


def test_commands_are_those_that_were_recorded_with_what_was_read_back() -> None:
    record = Record(
        Path("x"),
        "restore",
        REF,
        "me",
        "server",
        NOW,
        steps={"a": "done", "b": "done", "d": "failed"},
        commands={"a": ("cp x y", "rm x"), "d": ("kubectl delete minicluster m",)},
        read_backs={"a": "was there,\nis gone", "b": "y", "d": "\x85rm -rf x"},
    )
    assert shell_commands(record) == (
        "cp x y",
        "rm x  # was there, is gone",
        "kubectl delete minicluster m  # rm -rf x",
    )


async def test_what_was_refused_is_in_it_with_the_reason(context: OperationContext) -> None:
    with pytest.raises(FluxstateError), refusals.logged(context, OperationKind.DELETE, REF):
        raise RefusedError("it has jobs")
    with pytest.raises(FluxstateError), refusals.logged(context, OperationKind.DELETE, REF):
        raise FluxstateError("no connection")
    (entry,) = audit.read(context.state_dir).entries
    assert (entry.outcome, entry.what, entry.reason) == ("Refused", "delete", "it has jobs")
