"""One operation on several MiniClusters from the command line: each line says whose it is."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any, TextIO

from fluxstate_tui import termination
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.find import find_minicluster
from fluxstate_tui.cli.asking import ask, asks
from fluxstate_tui.cli.lock import until_free
from fluxstate_tui.cli.operate_run import MARKS, outcome_json, plan_json, steps_json
from fluxstate_tui.cli.options import kube_options
from fluxstate_tui.cli.target import open_context
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.formatting import plain
from fluxstate_tui.kube.client import Cluster
from fluxstate_tui.kube.objects import parse_minicluster
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import audit, bulk
from fluxstate_tui.operations.base import Choices, Outcome, OutcomeKind, StepEvent, StepState
from fluxstate_tui.operations.bulk import Bulk, Part


async def operate_all(args: argparse.Namespace, choices: Choices) -> int:
    """Prepare all, ask once, run, and say how each ended. Returns the worst one's exit code."""
    out = sys.stderr if args.json else sys.stdout
    async with open_context(kube_options(args)) as context:
        refs = await _refs(context.cluster, args)

        async def first(ref: ClusterRef) -> None:
            if not args.dry_run:
                await until_free(args, context, ref)

        kind, limit = args.operation, args.parallel
        many = await bulk.prepare(kind, context, refs, choices, limit=limit, first=first)
        try:
            return await _with_consent(args, context, many, out)
        finally:
            await many.close()


async def _refs(cluster: Cluster, args: argparse.Namespace) -> list[ClusterRef]:
    """All that are named; every one of them must be there before anything is begun."""
    if not getattr(args, "all", False):
        return [(await find_minicluster(cluster, name)).ref for name in args.names]
    if args.names:
        raise FluxstateError("Give names or --all, not both.", exit_code=ExitCode.USAGE)
    resource = await cluster.minicluster_resource()
    found = [parse_minicluster(item).ref for item in await cluster.list(resource, cluster.scope)]
    if not found:
        raise FluxstateError("There is no MiniCluster here.", exit_code=ExitCode.NOT_FOUND)
    return found


async def _with_consent(
    args: argparse.Namespace, context: OperationContext, many: Bulk, out: TextIO
) -> int:
    for part in many.parts:
        _show(part, out)
    if args.dry_run:
        _print_plans(args, many)
        refused = any(part.outcome for part in many.parts)
        return many.worst.exit_code if refused else ExitCode.OK
    if many.asks and not args.yes:
        question = f"{many.kind.capitalize()} these {len(many.ready)} MiniClusters? [y/N] "
        if not asks() or ask(question).lower() not in ("y", "yes"):
            for part in many.ready:
                audit.log(context, many.kind, part.ref, "consent was not given")
            print("refused: consent is needed (nothing was done)", file=sys.stderr)
            print("   do: --yes", file=sys.stderr)
            _print_plans(args, many)
            return ExitCode.REFUSED
    steps: dict[ClusterRef, dict[str, StepEvent]] = {part.ref: {} for part in many.parts}
    worst = await _interruptible(many, _printer(many, steps, out), lambda part: _end(part, out))
    if args.json:
        documents = [_json(part, steps[part.ref]) for part in many.parts]
        print(json.dumps({"operations": documents, "worst": outcome_json(worst)}, indent=2))
    return worst.exit_code


async def _interruptible(
    many: Bulk, progress: Callable[[Part, StepEvent], None], ended: Callable[[Part], None]
) -> Outcome:
    with termination.on_request(many.cancel, many.hurry):
        return await many.run(progress, ended)


def _printer(
    many: Bulk, steps: dict[ClusterRef, dict[str, StepEvent]], out: TextIO
) -> Callable[[Part, StepEvent], None]:
    width = max(len(str(part.ref)) for part in many.parts)

    def take(part: Part, event: StepEvent) -> None:
        if event.state is StepState.RUNNING or part.operation is None:
            return
        steps[part.ref][event.step] = event
        titles = {step.id: step.title for step in part.operation.plan.steps}
        mark = MARKS.get(event.state, event.state.value)
        line = f"{str(part.ref).ljust(width)}  {mark}  {titles.get(event.step, event.step)}"
        print(f"{line}  {plain(event.line)}".rstrip(), file=out, flush=True)

    return take


def _print_plans(args: argparse.Namespace, many: Bulk) -> None:
    if args.json:
        print(json.dumps({"operations": [_json(part, {}) for part in many.parts]}, indent=2))


def _show(part: Part, out: TextIO) -> None:
    print(f"{part.ref}:", file=out)
    if part.outcome is not None:
        print(f"  not possible: {plain(part.outcome.reason)}", file=out)
    if part.operation is None:
        return
    for line in part.operation.plan.preview:
        print(f"  {plain(line)}", file=out)


def _end(part: Part, out: TextIO) -> None:
    outcome = part.outcome
    if outcome is None:
        return
    good = outcome.kind is OutcomeKind.COMPLETED
    place = out if good else sys.stderr
    print(f"{part.ref}  {outcome.kind.value}: {plain(outcome.reason)}", file=place, flush=True)
    if not good:
        if outcome.safe:
            print(f" safe: {plain(outcome.safe)}", file=sys.stderr)
        if outcome.advice:
            print(f"   do: {plain(outcome.advice)}", file=sys.stderr)


def _json(part: Part, steps: dict[str, StepEvent]) -> dict[str, Any]:
    ref = part.ref
    plan = plan_json(part.operation.plan) if part.operation is not None else None
    return {
        "namespace": ref.namespace,
        "name": ref.name,
        "uid": ref.uid,
        "plan": plan,
        "steps": steps_json(steps),
        "outcome": outcome_json(part.outcome) if part.outcome is not None else None,
    }
