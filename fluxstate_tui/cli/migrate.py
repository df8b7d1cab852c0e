"""Migrate from the command line: to another size, image, name, namespace or context."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from fluxstate_tui import termination
from fluxstate_tui.cli.lock import add_lock
from fluxstate_tui.cli.numbers import count, seconds
from fluxstate_tui.cli.operate import add_loss
from fluxstate_tui.cli.options import add_cluster_options
from fluxstate_tui.operations.base import OperationKind
from fluxstate_tui.operations.registry import spec

if TYPE_CHECKING:
    from fluxstate_tui.operations.base import Choices


_CONSENT = """\
--yes answers what asks for a yes. Cancelling running jobs, or a size that waiting jobs never fit,
loses work, and needs the name of the MiniCluster: --i-know-what-is-lost NAME.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    words = spec(OperationKind.MIGRATE).title
    parser = subparsers.add_parser(
        OperationKind.MIGRATE.value,
        help=words,
        description=f"{words[0].upper()}{words[1:]}. The old one is deleted when every job is "
        "accounted for in the new one; under the same name, when a verified archive has every job.",
        epilog=_CONSENT,
    )
    add_cluster_options(parser)
    parser.add_argument("name", nargs="?", default="", help="the MiniCluster (if several)")
    parser.add_argument("--to-name", default="", metavar="NAME", help="default: the same")
    parser.add_argument("--to-namespace", default="", metavar="NS", help="default: the same")
    parser.add_argument("--to-context", default="", metavar="CONTEXT", help="another cluster")
    parser.add_argument("--size", type=count, metavar="N", help="number of pods")
    parser.add_argument("--image", default="", metavar="IMAGE", help="of the container with Flux")
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--wait", type=seconds, metavar="SECONDS", help="wait at most that long for running jobs"
    )
    group.add_argument("--cancel-running", action="store_true", help="cancel running jobs")
    add_loss(parser)
    add_lock(parser)
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=600.0,
        metavar="SECONDS",
        help="for the new broker to run",
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="stdout is one JSON document")
    parser.add_argument("--dry-run", action="store_true", help="show the plan, do nothing")
    parser.set_defaults(run=run, operation=OperationKind.MIGRATE)


def run(args: argparse.Namespace) -> int:
    """Carry the migration out; returns its exit code."""
    from fluxstate_tui.cli.migrate_run import migrate

    return termination.run(migrate(args, choices_of(args)))


def choices_of(args: argparse.Namespace) -> Choices:
    """The flags as choices. Raises FluxstateError when nothing would change."""
    from fluxstate_tui.errors import ExitCode, FluxstateError
    from fluxstate_tui.operations.base import Choices, Running

    wishes = (args.to_name, args.to_namespace, args.to_context, args.size, args.image)
    if not any(wish not in ("", None) for wish in wishes):
        raise FluxstateError(
            "It does not say what shall change.",
            safe="Nothing was done.",
            advice="Give --size, --image, --to-name, --to-namespace or --to-context.",
            exit_code=ExitCode.USAGE,
        )
    running = Running.WAIT
    if args.wait is not None:
        running = Running.WAIT_AT_MOST
    elif args.cancel_running:
        running = Running.CANCEL
    return Choices(
        running=running,
        wait_seconds=args.wait,
        size=args.size,
        start_timeout=args.timeout,
        to_name=args.to_name,
        to_namespace=args.to_namespace,
        image=args.image,
    )
