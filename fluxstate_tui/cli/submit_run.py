"""Submitting from the command line: what Flux answered, and nothing that it did not."""

from __future__ import annotations

import argparse
import json
import sys

from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.broker.find import find_minicluster, find_ref
from fluxstate_tui.broker.submit import SubmitOptions
from fluxstate_tui.cli.asking import ask, asks
from fluxstate_tui.cli.course import MANY, stoppable
from fluxstate_tui.cli.options import kube_options
from fluxstate_tui.cli.target import open_context
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.flux.jobid import f58_ascii
from fluxstate_tui.formatting import plain
from fluxstate_tui.live.actions import SubmitAnswer
from fluxstate_tui.live.job_actions import (
    answer_of,
    logging_submit,
    outcome_of_submit,
    submit_lines,
)
from fluxstate_tui.operations import audit
from fluxstate_tui.operations.base import OutcomeKind
from fluxstate_tui.operations.steps import RefusedError
from fluxstate_tui.tasks import Course


async def submit(args: argparse.Namespace) -> int:
    """Submit and print the ids. Raises FluxstateError with Flux's own words."""
    options = _options(args)
    async with open_context(kube_options(args)) as context:
        if context.cluster.read_only:
            ref = await find_ref(context.cluster, args.name, may_be_gone=True)
            with audit.logged(context, "submit", ref):
                raise RefusedError("submitting changes the queue, and this is --read-only")
        minicluster = await find_minicluster(context.cluster, args.name)
        if not _agreed(args, options):
            audit.log(context, "submit", minicluster.ref, "consent was not given")
            print("refused: consent is needed (nothing was submitted)", file=sys.stderr)
            print("   do: --yes", file=sys.stderr)
            return ExitCode.REFUSED
        client = await MiniClusterClient.open(context, minicluster.ref)
        course = Course(options.copies)
        try:
            with (
                stoppable(course),
                logging_submit(context, client.ref, (options,), client.flux_line) as log,
            ):
                log.answer = answer_of(options.copies, await client.submit_until(options, course))
        finally:
            await client.close()
    _print(args, log.answer)
    return _code(log.answer)


def _agreed(args: argparse.Namespace, options: SubmitOptions) -> bool:
    """Where nobody can be asked, who wrote the number meant it."""
    if options.copies <= MANY or args.yes or not asks():
        return True
    kept = "Each stays in the queue and its archives; what is submitted stays when you stop it."
    question = f"Submit {options.copies:,} jobs to {plain(args.name)}? {kept} [y/N] "
    return ask(question).lower() in ("y", "yes")


def _print(args: argparse.Namespace, answer: SubmitAnswer) -> None:
    if args.json:
        jobs = [{"id": job, "jobid": f58_ascii(job)} for job in answer.ids]
        print(json.dumps({"jobs": jobs}))
    elif answer.ids:
        print("\n".join(f58_ascii(job) for job in answer.ids))
    if len(answer.ids) < answer.of:
        for line in submit_lines(answer, f58_ascii):
            print(plain(line), file=sys.stderr)


def _code(answer: SubmitAnswer) -> ExitCode:
    kind = outcome_of_submit(answer)
    codes = {
        OutcomeKind.COMPLETED: ExitCode.OK,
        OutcomeKind.CANCELLED: ExitCode.INTERRUPTED,
        OutcomeKind.UNKNOWN: ExitCode.UNKNOWN,
    }
    return codes.get(kind, ExitCode.FAILURE)


def _options(args: argparse.Namespace) -> SubmitOptions:
    options = SubmitOptions(
        command=tuple(args.words),
        ntasks=args.ntasks or args.nodes or 1,
        nnodes=args.nodes,
        duration=args.time_limit,
        queue=args.queue,
        urgency=args.urgency,
        copies=args.count,
    )
    try:
        options.check()
    except ValueError as error:
        raise FluxstateError(
            str(error), safe="Nothing was submitted.", exit_code=ExitCode.USAGE
        ) from None
    return options
