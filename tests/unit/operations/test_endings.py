"""How an operation ended is in the exit code and the words, and only a success is on stdout."""

from __future__ import annotations

import sys

import pytest

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.cli.main import build_parser
from fluxstate_tui.cli.operate_run import with_consent
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.operations.base import Consent, ConsentKind, OperationKind, Plan, Step
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.steps import Action, Run, Script, Task
from tests.unit.operations.builders import REF


async def _lost(run: Run) -> str:
    raise FluxstateError("the stream was cut", advice="Look.", exit_code=ExitCode.UNKNOWN)


async def _broken(run: Run) -> str:
    raise FluxstateError("the disk is full", advice="Make room.")


async def _fine(run: Run) -> str:
    return "fine"


ENDINGS = [
    (_fine, True, "Completed", ExitCode.OK),
    (_broken, False, "PartiallyFailed", ExitCode.FAILURE),
    (_lost, False, "PartiallyFailed", ExitCode.FAILURE),
    (_broken, True, "Failed", ExitCode.FAILURE),
    (_lost, True, "Unknown", ExitCode.UNKNOWN),
]


@pytest.mark.parametrize(("action", "required", "ended", "code"), ENDINGS)
async def test_only_what_is_complete_is_called_so(
    context: OperationContext,
    capsys: pytest.CaptureFixture[str],
    action: Action,
    required: bool,
    ended: str,
    code: ExitCode,
) -> None:
    step = Step("one", "One")
    plan = Plan(OperationKind.SAVE, REF, (step,), (), Consent(ConsentKind.NONE, "?"))
    script = Script([Task(step, action, required)], lambda: "saved")
    args = build_parser().parse_args(["save", REF.name])
    assert await with_consent(args, Operation(context, plan, script), sys.stdout) == code
    said = capsys.readouterr()
    good = code is ExitCode.OK
    assert f"{ended}: " in (said.out if good else said.err)
    assert ("Completed" in said.out + said.err) is good
    assert said.out.startswith("ok ") is good
