"""`log` and `unfinished`: what was done, and what a killed program left."""

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from fluxstate_tui.cli.history_run import identity, log, unfinished
from fluxstate_tui.cli.main import build_parser
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.operations import audit, journal
from fluxstate_tui.operations.base import (
    Consent,
    ConsentKind,
    OperationKind,
    Plan,
    StepEvent,
    StepState,
)
from fluxstate_tui.operations.journal import Journal, Record
from fluxstate_tui.operations.saving import PAUSE, WAIT
from tests.faults.stage import Stage, staged

Parse = Callable[..., argparse.Namespace]


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setenv("FLUXSTATE_STATE_DIR", str(tmp_path / "state"))
    async with staged(tmp_path) as found:
        await found.create()
        yield found


@pytest.fixture
def parse(tmp_path: Path) -> Parse:
    def parsed(*words: str) -> argparse.Namespace:
        return build_parser().parse_args(words)

    return parsed


async def killed_save(stage: Stage) -> Record:
    """A save whose program was killed while the queue was stopped."""
    plan = Plan(
        OperationKind.SAVE, await stage.ref(), (PAUSE, WAIT), (), Consent(ConsentKind.NONE, "?")
    )
    context = stage.context
    dead = Journal.begin(
        context.state_dir,
        plan,
        who="ghost@there",
        server=context.cluster.server,
        now=context.clock.now(),
    )
    dead.step(StepEvent("pause", StepState.DONE, context.clock.now()))
    dead.step(StepEvent("wait", StepState.RUNNING, context.clock.now()))
    dead.close()
    await stage.flux("queue", "stop", "--all", "-m", "fluxstate: save by ghost@there")
    (record,) = journal.unfinished(context.state_dir)
    return record


async def test_what_was_interrupted_is_listed_finished_and_logged(
    stage: Stage, parse: Parse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = ("--kubeconfig", str(tmp_path / "kubeconfig"))
    record = await killed_save(stage)
    assert await unfinished(parse("unfinished", *there)) == ExitCode.OK
    out = capsys.readouterr().out
    assert "save of default/flux-sample was interrupted at 'Wait for running jobs'" in out
    assert f"--finish {identity(record)}" in out

    with pytest.raises(FluxstateError, match="something of it is left"):
        await unfinished(parse("unfinished", "--close", identity(record), *there))
    dry = parse("unfinished", "--finish", identity(record), "--dry-run", *there)
    assert await unfinished(dry) == ExitCode.OK
    assert not await stage.started()

    finish = parse("unfinished", "--finish", identity(record), *there)
    assert await unfinished(finish) == ExitCode.OK
    assert await stage.started()
    assert stage.unfinished() == []
    capsys.readouterr()
    assert log(parse("log", "--json")) == ExitCode.OK
    entries = json.loads(capsys.readouterr().out)["entries"]
    assert [(one["what"], one["outcome"]) for one in entries] == [
        ("resume", "Completed"),
        ("save", "Failed"),
    ]


async def test_without_a_cluster_it_is_listed_all_the_same(
    stage: Stage, parse: Parse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = await killed_save(stage)
    args = parse("unfinished", "--json", "--kubeconfig", str(tmp_path / "nothing"))
    assert await unfinished(args) == ExitCode.OK
    (one,) = json.loads(capsys.readouterr().out)["unfinished"]
    assert (one["id"], one["next"]) == (identity(record), "")
    assert "cannot be asked now" in one["says"][1]


async def test_nothing_interrupted_and_an_unknown_id(
    stage: Stage, parse: Parse, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await unfinished(parse("unfinished")) == ExitCode.OK
    assert "Nothing was interrupted" in capsys.readouterr().out
    with pytest.raises(FluxstateError) as caught:
        await unfinished(parse("unfinished", "--close", "abcd"))
    assert caught.value.exit_code is ExitCode.NOT_FOUND


async def test_a_log_that_was_changed_says_so_with_its_exit_code(
    stage: Stage, parse: Parse, capsys: pytest.CaptureFixture[str]
) -> None:
    await stage.well("pause")
    await stage.well("resume")
    assert log(parse("log")) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[3] for line in lines[1:]] == ["pause", "resume"]
    assert log(parse("log", "--commands", "--last", "1")) == ExitCode.OK
    assert "queue start --all" in capsys.readouterr().out
    path = stage.context.state_dir / audit.FILE
    path.write_bytes(path.read_bytes().replace(b"pause", b"delet"))
    assert log(parse("log")) == ExitCode.VERIFICATION
    assert "NOT what was written" in capsys.readouterr().err
