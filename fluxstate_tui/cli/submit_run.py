"""Submitting from the command line: what Flux answered, and nothing that it did not."""

from __future__ import annotations

import argparse
import json

from fluxstate_tui.broker.client import MiniClusterClient
from fluxstate_tui.broker.find import find_minicluster
from fluxstate_tui.broker.submit import SubmitOptions
from fluxstate_tui.cli.options import kube_options
from fluxstate_tui.cli.target import open_context
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.flux.jobid import f58_ascii
from fluxstate_tui.operations.steps import RefusedError


async def submit(args: argparse.Namespace) -> int:
    """Submit and print the ids. Raises FluxstateError with Flux's own words."""
    options = _options(args)
    async with open_context(kube_options(args)) as context:
        if context.cluster.read_only:
            raise RefusedError("submitting changes the queue, and this is --read-only")
        minicluster = await find_minicluster(context.cluster, args.name)
        client = await MiniClusterClient.open(context, minicluster.ref)
        try:
            ids = await client.submit(options)
        finally:
            await client.close()
    if args.json:
        print(json.dumps({"jobs": [{"id": job, "jobid": f58_ascii(job)} for job in ids]}))
    else:
        print("\n".join(f58_ascii(job) for job in ids))
    return ExitCode.OK


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
