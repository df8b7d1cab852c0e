"""Running one operation from the command line: preview, consent, one line per step, outcome."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from typing import Any, TextIO

from fluxstate_tui import termination
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.find import find_ref
from fluxstate_tui.catalog.helper_pod import HelperPodNeededError
from fluxstate_tui.cli.asking import ask, asks
from fluxstate_tui.cli.helper_pod import helper_pod_agreed, require_helper_pod
from fluxstate_tui.cli.lock import until_free
from fluxstate_tui.cli.options import kube_options
from fluxstate_tui.cli.target import open_context
from fluxstate_tui.errors import ExitCode
from fluxstate_tui.formatting import plain
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import audit, journal, recovery
from fluxstate_tui.operations.base import (
    Agrees,
    Choices,
    ConsentKind,
    OperationKind,
    Outcome,
    OutcomeKind,
    Plan,
    StepEvent,
    StepState,
)
from fluxstate_tui.operations.registry import prepare
from fluxstate_tui.operations.runner import Operation
from fluxstate_tui.operations.steps import RefusedError

MARKS = {
    StepState.DONE: "ok  ",
    StepState.FAILED: "FAIL",
    StepState.UNKNOWN: "?   ",
    StepState.SKIPPED: "skip",
}


MENTIONED_SECONDS = 0.1
MOST_MENTIONED = 4

FLAGS = {Agrees.LOSS: "i-know-what-is-lost", Agrees.SPEC: "accept-spec"}


async def operate(args: argparse.Namespace, choices: Choices) -> int:
    """Prepare, ask, run, and say how it ended. Returns the exit code."""
    out = sys.stderr if args.json else sys.stdout
    async with open_context(kube_options(args)) as context:
        ref = await find_ref(
            context.cluster, args.name, may_be_gone=args.operation is OperationKind.RESTORE
        )
        if not args.dry_run:
            await until_free(args, context, ref)
        interrupted = await _interrupted(context, ref)
        operation = await prepared(args, args.operation, context, ref, choices)
        try:
            code = await with_consent(args, operation, out)
        finally:
            await operation.close()
        for finding in interrupted:
            if finding.next in (None, args.operation) and code == ExitCode.OK and not args.dry_run:
                left = await recovery.settle(context, finding)
                if left is not None:
                    print(f"note: {plain(' '.join(left.says))}", file=sys.stderr)
        return code


async def prepared(
    args: argparse.Namespace,
    kind: OperationKind,
    context: OperationContext,
    ref: ClusterRef,
    choices: Choices,
) -> Operation:
    """The plan; a helper pod that is needed for it is asked for first, and never in a dry run."""
    accept = vars(args).get("accept_spec") or ""
    with audit.logged(context, kind, ref):
        if accept and accept != ref.name:
            raise RefusedError(
                f"--accept-spec {accept} is not about {ref.name}", safe="Nothing was done."
            )
    choices = replace(
        choices,
        start_helper_pod=helper_pod_agreed(args) and not args.dry_run,
        accept_spec=bool(accept),
    )
    try:
        return await prepare(kind, context, ref, choices)
    except HelperPodNeededError as needed:
        with audit.said(context, kind, ref):
            require_helper_pod(needed)
    return await prepare(kind, context, ref, replace(choices, start_helper_pod=True))


async def _interrupted(context: OperationContext, ref: ClusterRef) -> list[recovery.Finding]:
    """Say what killed operations on this MiniCluster left behind, as the world is now."""
    found = []
    for record in journal.unfinished(context.state_dir):
        same = (record.target.namespace, record.target.name) == (ref.namespace, ref.name)
        if not same or record.server != context.cluster.server:
            continue
        finding = await recovery.look(context, record)
        found.append(finding)
        print(f"note: {plain(' '.join(finding.says))}", file=sys.stderr)
        if finding.next:
            print(f"  do: fluxstate-tui {finding.next} {ref.name}", file=sys.stderr)
    return found


async def with_consent(args: argparse.Namespace, operation: Operation, out: TextIO) -> int:
    plan = operation.plan
    _show(plan, out)
    if args.dry_run:
        if args.json:
            print(json.dumps({"plan": plan_json(plan)}, indent=2))
        return ExitCode.OK
    typed = _consent(args, plan)
    if typed is None:
        audit.log(operation.context, plan.operation, plan.target, "consent was not given")
        print("refused: consent is needed (nothing was done)", file=sys.stderr)
        if plan.consent.kind is ConsentKind.TYPE_NAME:
            first = "--save, or " if vars(args).get("save") is False else ""
            flag = FLAGS[plan.consent.agrees]
            print(f"   do: {first}--{flag} {plan.consent.word}", file=sys.stderr)
        else:
            print("   do: --yes", file=sys.stderr)
        if args.json:
            print(json.dumps({"plan": plan_json(plan), "outcome": None}, indent=2))
        return ExitCode.REFUSED
    steps = _Steps(plan, out)
    outcome = await _interruptible(operation, steps, typed)
    _finish(args, plan, steps, outcome, out)
    return outcome.exit_code


async def _interruptible(operation: Operation, steps: _Steps, typed: str) -> Outcome:
    """Ctrl-C asks the operation to stop and undo, instead of leaving it half done."""
    with termination.on_request(operation.cancel, operation.hurry):
        return await operation.run(steps.take, typed)


class _Steps:
    """Prints a line per finished step, and keeps the read-backs for --json."""

    def __init__(self, plan: Plan, out: TextIO) -> None:
        self._titles = {step.id: step.title for step in plan.steps}
        self._width = max((len(title) for title in self._titles.values()), default=0)
        self._out = out
        self._live = out.isatty()
        self._told = ""
        self.last: dict[str, StepEvent] = {}

    def take(self, event: StepEvent) -> None:
        """One step's news. Progress is shown on terminals only, on one line that is replaced."""
        title = self._titles.get(event.step, event.step).ljust(self._width)
        text = plain(event.line)
        if event.state is StepState.RUNNING:
            if self._live:
                self._out.write(f"\r\x1b[K ..   {title}  {text}"[:200])
                self._out.flush()
            return
        self.last[event.step] = event
        clear = "\r\x1b[K" if self._live else ""
        mark = MARKS.get(event.state, event.state.value)
        print(f"{clear}{mark}  {title}  {text}".rstrip(), file=self._out, flush=True)

    def times(self) -> str:
        """How long the whole took, and the steps that took most of it; '' for what took no time."""
        took = {step: event.seconds for step, event in self.last.items() if event.seconds}
        whole = sum(took.values())
        if whole < MENTIONED_SECONDS:
            return ""
        longest = sorted(took, key=lambda step: took[step], reverse=True)
        longest = [step for step in longest if took[step] >= whole / 20][:MOST_MENTIONED]
        shares = (f"{self._titles.get(step, step)} {took[step]:.1f} s" for step in longest)
        return f"{whole:.1f} s ({', '.join(shares)})"


def _show(plan: Plan, out: TextIO) -> None:
    for line in plan.preview:
        print(plain(line), file=out)


def _consent(args: argparse.Namespace, plan: Plan) -> str | None:
    """What was typed ('' where nothing needs to be), None for no."""
    kind, word = plan.consent.kind, plan.consent.word
    if kind is ConsentKind.NONE:
        return ""
    if kind is ConsentKind.TYPE_NAME:
        given: str = vars(args).get(FLAGS[plan.consent.agrees].replace("-", "_")) or ""
        if given:
            return given if given == word else None
        if not asks():
            return None
        answer = ask(f"{plan.consent.question} Type the name '{word}' to go on: ")
        return answer if answer == word else None
    if args.yes:
        return ""
    if not asks():
        return None
    return "" if ask(f"{plan.consent.question} [y/N] ").lower() in ("y", "yes") else None


def _finish(
    args: argparse.Namespace, plan: Plan, steps: _Steps, outcome: Outcome, out: TextIO
) -> None:
    good = outcome.kind is OutcomeKind.COMPLETED
    print(f"{outcome.kind.value}: {plain(outcome.reason)}", file=out if good else sys.stderr)
    if times := steps.times():
        print(f" time: {times}", file=out)
    if not good:
        if outcome.safe:
            print(f" safe: {plain(outcome.safe)}", file=sys.stderr)
        if outcome.advice:
            print(f"   do: {plain(outcome.advice)}", file=sys.stderr)
    if args.json:
        document = {
            "plan": plan_json(plan),
            "steps": steps_json(steps.last),
            "outcome": outcome_json(outcome),
        }
        print(json.dumps(document, indent=2))


def plan_json(plan: Plan) -> dict[str, Any]:
    """A plan as --json shows it."""
    return {
        "operation": plan.operation.value,
        "namespace": plan.target.namespace,
        "name": plan.target.name,
        "uid": plan.target.uid,
        "steps": [asdict(step) for step in plan.steps],
        "preview": list(plan.preview),
        "consent": {
            **asdict(plan.consent),
            "kind": plan.consent.kind.value,
            "agrees": plan.consent.agrees.value,
        },
    }


def steps_json(last: dict[str, StepEvent]) -> list[dict[str, Any]]:
    """How each step ended, as --json shows it."""
    return [
        {
            "id": step,
            "state": event.state.value,
            "readBack": event.line,
            "seconds": None if event.seconds is None else round(event.seconds, 3),
        }
        for step, event in last.items()
    ]


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome as --json shows it."""
    return {**asdict(outcome), "kind": outcome.kind.value}
