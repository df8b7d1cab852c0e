"""Somebody at the program: prepares and runs operations, and says yes."""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass, field
from pathlib import Path

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.objects import read_minicluster
from fluxstate_tui.cli import catalog_run
from fluxstate_tui.cli.main import build_parser
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import bulk
from fluxstate_tui.operations.base import (
    Choices,
    OperationKind,
    Outcome,
    OutcomeKind,
    StepEvent,
    StepState,
)
from fluxstate_tui.operations.registry import prepare
from tests.faults.stage import agreed

from .points import PREPARE

Done = Outcome | None


@dataclass(slots=True)
class Actor:
    """`step` is where the operation is; `said` is all that it told."""

    context: OperationContext
    kubeconfig: Path
    step: str = PREPARE
    said: list[str] = field(default_factory=list)

    def hear(self, event: StepEvent) -> None:
        """Progress of an operation."""
        if event.state is StepState.RUNNING:
            self.step = event.step
        if event.line:
            self.said.append(f"{event.step}: {event.line}")

    async def do(self, kind: str, ref: ClusterRef, choices: Choices, typed: str = "") -> Outcome:
        """One operation from the question to its end. What prepare() refuses is raised."""
        if kind != "restore":
            ref = (await read_minicluster(self.context, ref)).ref
        operation = await prepare(OperationKind(kind), self.context, ref, agreed(choices))
        return await operation.run(self.hear, typed)

    async def bulk(self, kind: str, refs: tuple[ClusterRef, ...], choices: Choices) -> Outcome:
        """The same for several, side by side."""
        many = await bulk.prepare(OperationKind(kind), self.context, refs, choices, limit=2)
        return await many.run(lambda part, event: self.hear(event))

    async def archives(self, *words: str) -> Outcome:
        """`fluxstate-tui archives WORDS`."""
        parser = build_parser()
        args = parser.parse_args(["archives", *words, "--kubeconfig", str(self.kubeconfig)])
        os.environ["FLUXSTATE_STATE_DIR"] = str(self.context.state_dir)
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                code = ExitCode(await catalog_run.COMMANDS[words[0]](args))
        except FluxstateError as error:
            unknown = error.exit_code is ExitCode.UNKNOWN
            kind = OutcomeKind.UNKNOWN if unknown else OutcomeKind.FAILED
            return Outcome(kind, error.message, error.safe, error.advice, error.exit_code)
        finally:
            self.said.append(said.getvalue())
        kind = OutcomeKind.COMPLETED if code is ExitCode.OK else OutcomeKind.FAILED
        return Outcome(kind, said.getvalue(), exit_code=code)
