"""Submitting from the command line: what Flux answered, and nothing that it did not."""

from __future__ import annotations

import argparse
import json

from fluxstate_tui.cli.options import kube_options
from fluxstate_tui.cli.target import find_minicluster, open_context
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.flux.submit import SubmitOptions
from fluxstate_tui.model.jobid import f58_ascii
from fluxstate_tui.operations.script import RefusedError
from fluxstate_tui.operations.world.world import World


async def submit(args: argparse.Namespace) -> int:
    """Submit and print the ids. Raises FluxstateError with Flux's own words."""
    options = _options(args)
    async with open_context(kube_options(args)) as context:
        if context.cluster.read_only:
            raise RefusedError("submitting changes the queue, and this is --read-only")
        minicluster = await find_minicluster(context.cluster, args.name)
        world = await World.open(context, minicluster.ref)
        try:
            ids = await world.submit(options)
        finally:
            await world.close()
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
