"""Acting on jobs from the command line: preview, consent, one line per job, outcome."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.find import find_minicluster, find_ref
from fluxstate_tui.cli.asking import ask, asks
from fluxstate_tui.cli.course import stoppable
from fluxstate_tui.cli.options import kube_options
from fluxstate_tui.cli.target import open_context
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.flux.jobid import f58_ascii
from fluxstate_tui.formatting import plain, plural
from fluxstate_tui.live.actions import VERBS, JobAnswer, JobPlan, JobRequest, plan
from fluxstate_tui.live.job_actions import JobQueue, act_and_log, audit_word, outcome_of
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import audit
from fluxstate_tui.operations.base import OutcomeKind
from fluxstate_tui.operations.steps import RefusedError
from fluxstate_tui.tasks import Course

_MOST_SHOWN = 20
_CODES = {
    OutcomeKind.COMPLETED: ExitCode.OK,
    OutcomeKind.UNKNOWN: ExitCode.UNKNOWN,
    OutcomeKind.CANCELLED: ExitCode.INTERRUPTED,
}


async def act_on_jobs(args: argparse.Namespace, ids: tuple[int, ...], request: JobRequest) -> int:
    """Returns the exit code. Raises FluxstateError."""
    out = sys.stderr if args.json else sys.stdout
    async with open_context(kube_options(args)) as context:
        await _refuse_read_only(context, args, request)
        found = await find_minicluster(context.cluster, args.name)
        client = await MiniClusterClient.open(context, found.ref)
        try:
            decided = await _decide(client, ids, request)
            _show(decided, found.ref, out)
            if args.dry_run:
                _finish(args, decided, found.ref, None)
                return ExitCode.OK
            if not decided.touched:
                _finish(args, decided, found.ref, ())
                print("nothing was done: it can be done to none of these jobs", file=sys.stderr)
                return ExitCode.FAILURE
            if not _agreed(args, decided):
                word = audit_word(request.verb)
                audit.log(context, word, found.ref, "consent was not given")
                print("refused: consent is needed (nothing was done)", file=sys.stderr)
                print("   do: --yes", file=sys.stderr)
                _finish(args, decided, found.ref, None)
                return ExitCode.REFUSED
            course = Course(len(decided.touched))
            with stoppable(course):
                answers = await act_and_log(
                    _queue(context, client), [job.id for job in decided.touched], request, course
                )
        finally:
            await client.close()
    for answer in answers:
        good = answer.taken and answer.seen
        mark = "ok  " if good else "?   " if answer.taken else "FAIL"
        print(f"{mark}  {f58_ascii(answer.id)}  {plain(answer.said)}", file=out)
    _finish(args, decided, found.ref, answers)
    left = len(decided.touched) - len(answers)
    if left:
        print(f"stopped: {left} of {plural(len(decided.touched), 'job')} left", file=sys.stderr)
    code = _CODES.get(outcome_of(answers, len(decided.touched)), ExitCode.FAILURE)
    return ExitCode.FAILURE if code == ExitCode.OK and decided.skipped else code


async def _refuse_read_only(
    context: OperationContext, args: argparse.Namespace, request: JobRequest
) -> None:
    if context.cluster.read_only and not args.dry_run:
        ref = await find_ref(context.cluster, args.name, may_be_gone=True)
        with audit.logged(context, audit_word(request.verb), ref):
            raise RefusedError(
                f"'{request.verb}' would change the queue, and this is --read-only",
                safe="Nothing was sent.",
            )


async def _decide(client: MiniClusterClient, ids: tuple[int, ...], request: JobRequest) -> JobPlan:
    known = {job.id: job for job in await client.jobs()}
    missing = [f58_ascii(job) for job in ids if job not in known]
    if missing:
        shown = ", ".join(missing[:_MOST_SHOWN])
        more = f" and {len(missing) - _MOST_SHOWN} more" if len(missing) > _MOST_SHOWN else ""
        raise FluxstateError(
            f"{client.ref} has no job {shown}{more}.",
            safe="Nothing was done.",
            advice=f"List them: fluxstate-tui get jobs {client.ref.name} "
            f"-n {client.ref.namespace} -a",
            exit_code=ExitCode.NOT_FOUND,
        )
    return plan(request, [known[job] for job in ids])


def _queue(context: OperationContext, client: MiniClusterClient) -> JobQueue:
    session = client.session()
    if session is None:
        raise FluxstateError(
            "the Flux in this container has no Python: jobs can only be listed and submitted",
            safe="Nothing was done.",
            advice=f"Use its own command: {client.flux_line('job', '--help')}",
        )
    return JobQueue(context, client.ref, session, client.flux_line)


def _show(decided: JobPlan, ref: ClusterRef, out: TextIO) -> None:
    info = VERBS[decided.request.verb]
    count = plural(len(decided.touched), "job")
    print(f"{info.label} {count} of {ref} ({info.hint})", file=out)
    for job in decided.touched[:_MOST_SHOWN]:
        print(f"  {f58_ascii(job.id)}  {job.status}  {plain(job.name)}", file=out)
    if len(decided.touched) > _MOST_SHOWN:
        print(f"  and {len(decided.touched) - _MOST_SHOWN} more", file=out)
    for job, why in decided.skipped[:_MOST_SHOWN]:
        print(f"skip  {f58_ascii(job.id)}  {why}", file=out)
    if len(decided.skipped) > _MOST_SHOWN:
        print(f"skip  {len(decided.skipped) - _MOST_SHOWN} more", file=out)


def _agreed(args: argparse.Namespace, decided: JobPlan) -> bool:
    info = VERBS[decided.request.verb]
    if args.yes or not info.final:
        return True
    if not asks():
        return False
    question = f"{info.label} {plural(len(decided.touched), 'job')}? [y/N] "
    return ask(question).lower() in ("y", "yes")


def _finish(
    args: argparse.Namespace,
    decided: JobPlan,
    ref: ClusterRef,
    answers: Sequence[JobAnswer] | None,
) -> None:
    if not args.json:
        return
    document = {
        "plan": {
            "verb": decided.request.verb,
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": ref.uid,
            "jobs": [
                {**_id(job.id), "name": job.name, "status": job.status} for job in decided.touched
            ],
            "skipped": [{**_id(job.id), "reason": why} for job, why in decided.skipped],
        },
        "answers": None if answers is None else [_answer(one) for one in answers],
    }
    print(json.dumps(document, indent=2))


def _answer(answer: JobAnswer) -> dict[str, Any]:
    return {
        **_id(answer.id),
        "taken": answer.taken,
        "readBack": answer.seen,
        "said": answer.said,
        "new": None if answer.new is None else _id(answer.new),
    }


def _id(job: int) -> dict[str, Any]:
    return {"id": job, "jobid": f58_ascii(job)}
