"""Running one migration from the command line, between two contexts if asked to."""

from __future__ import annotations

import argparse
import sys
from contextlib import AsyncExitStack
from dataclasses import replace

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.broker.find import find_ref
from fluxstate_tui.cli.lock import until_free
from fluxstate_tui.cli.operate_run import with_consent
from fluxstate_tui.cli.options import kube_options
from fluxstate_tui.cli.target import open_context
from fluxstate_tui.kube.kubeconfig import KubeOptions
from fluxstate_tui.operations.base import Choices, OperationKind
from fluxstate_tui.operations.registry import prepare


async def migrate(args: argparse.Namespace, choices: Choices) -> int:
    """Prepare, ask, run, and say how it ended. Returns the exit code."""
    out = sys.stderr if args.json else sys.stdout
    async with AsyncExitStack() as stack:
        context = await stack.enter_async_context(open_context(kube_options(args)))
        ref = await find_ref(context.cluster, args.name)
        if not args.dry_run:
            await until_free(args, context, ref)
        destination: OperationContext | None = None
        other = args.to_context and args.to_context != context.cluster.context
        if other and not context.cluster.read_only:
            there = open_context(_there(args))
            destination = await stack.enter_async_context(there)
        operation = await prepare(OperationKind.MIGRATE, context, ref, choices, destination)
        try:
            return await with_consent(args, operation, out)
        finally:
            await operation.close()


def _there(args: argparse.Namespace) -> KubeOptions:
    """The other context with its own cluster and user; its protection counts as well."""
    given = argparse.Namespace(**{**vars(args), "context": args.to_context})
    given.cluster = given.user = None
    return replace(kube_options(given), namespace=args.to_namespace or None)
