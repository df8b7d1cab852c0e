"""`get`: what there is, as kubectl-like tables or JSON."""

from __future__ import annotations

import argparse

from fluxstate_tui import termination
from fluxstate_tui.cli.options import add_cluster_options

_ALIASES = {
    "miniclusters": ("minicluster", "mc"),
    "pods": ("pod", "po"),
    "jobs": ("job",),
    "archives": ("archive",),
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "get",
        help="list miniclusters, pods, jobs or archives",
        description="List miniclusters, the pods, jobs or archives of one of them.",
    )
    words = [*_ALIASES, *(alias for aliases in _ALIASES.values() for alias in aliases)]
    parser.add_argument("what", choices=words, metavar="miniclusters|pods|jobs|archives")
    parser.add_argument("name", nargs="?", default="", help="a MiniCluster (if there are several)")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument("--json", action="store_const", const="json", dest="output")
    parser.add_argument("-a", "--all", action="store_true", help="jobs: also inactive ones")
    parser.add_argument(
        "--no-queues",
        action="store_false",
        dest="queues",
        help="miniclusters: what Kubernetes knows; no broker is asked",
    )
    parser.add_argument(
        "-y", "--yes", action="store_true", help="archives: start a helper pod without asking"
    )
    add_cluster_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print it; returns the exit code."""
    from fluxstate_tui.cli.get_run import get

    what = next(
        name for name, aliases in _ALIASES.items() if args.what == name or args.what in aliases
    )
    return termination.run(get(args, what))
