"""A MiniCluster on which somebody else works: wait for it, or break the lock by its name."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from fluxstate_tui.cli.numbers import seconds
from fluxstate_tui.formatting import plain

if TYPE_CHECKING:
    from fluxstate_tui.broker.context import OperationContext
    from fluxstate_tui.minicluster.minicluster import ClusterRef


LOOK_AGAIN = 1.0


def add_lock(parser: argparse.ArgumentParser) -> None:
    """What to do about a second operator."""
    parser.add_argument(
        "--wait-for-lock",
        type=seconds,
        default=0.0,
        metavar="SECONDS",
        help="wait that long for another operator who works on it (exit code 7 without)",
    )
    parser.add_argument(
        "--break-lock",
        default="",
        metavar="USER@HOST",
        help="break the lock of this operator; their operation stops before its next step",
    )


async def until_free(args: argparse.Namespace, context: OperationContext, ref: ClusterRef) -> None:
    """Return when nobody works on it, or when waiting is of no use: the lock itself then refuses.

    Only the lock of the operator who was named is broken. Raises FluxstateError when it changed
    hands meanwhile.
    """
    from fluxstate_tui.operations.lease import break_lock, holder_of

    if not (args.wait_for_lock or args.break_lock):
        return
    deadline = context.clock.now() + args.wait_for_lock
    told = False
    while (holder := await holder_of(context, ref)) is not None:
        doing = f"{holder.who} works on {ref}: {holder.what}"
        if args.break_lock == holder.who:
            await break_lock(context, ref, holder)
            print(plain(f"note: lock broken: {doing}"), file=sys.stderr)
            return
        if context.clock.now() >= deadline:
            return
        if not told:
            print(plain(f"note: waiting: {doing}"), file=sys.stderr)
        told = True
        await context.clock.sleep(LOOK_AGAIN)
