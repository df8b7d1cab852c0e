"""`submit`: jobs for the queue of one MiniCluster."""

from __future__ import annotations

import argparse

from fluxstate_tui import termination
from fluxstate_tui.cli.numbers import count, seconds
from fluxstate_tui.cli.options import add_cluster_options


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "submit",
        help="submit jobs to a MiniCluster",
        description="Submit jobs; the words after -- are the command, never a shell line.",
        usage="fluxstate-tui submit NAME [-n N] [-N N] [--count N] [options] -- CMD...",
        # `-n` is a namespace for kubectl and a number of tasks for flux: here it is either.
        conflict_handler="resolve",
    )
    add_cluster_options(parser)
    parser.add_argument("name", help="the MiniCluster")
    parser.add_argument("--ntasks", type=count, metavar="N", help="number of tasks")
    parser.add_argument(
        "-n", action=_TasksOrNamespace, metavar="N|NS", help="tasks if a number, else the namespace"
    )
    parser.add_argument("-N", "--nodes", type=count, metavar="N", help="number of nodes")
    parser.add_argument("--count", type=count, default=1, metavar="N", help="that many jobs")
    parser.add_argument("--queue", default="", metavar="NAME", help="a named queue")
    parser.add_argument("--urgency", type=int, default=16, metavar="0-31", help="0 holds the job")
    parser.add_argument(
        "-t", "--time-limit", type=seconds, default=0.0, metavar="SECONDS", help="0 = none"
    )
    parser.add_argument("-y", "--yes", action="store_true", help="ask nothing")
    parser.add_argument("--json", action="store_true", help="ids as JSON")
    parser.add_argument("words", nargs="+", metavar="CMD")
    parser.set_defaults(run=run)


class _TasksOrNamespace(argparse.Action):
    """A number can only be meant as tasks; a namespace of digits has `--namespace`."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        text = str(values)
        if text.isdigit():
            try:
                namespace.ntasks = count(text)
            except argparse.ArgumentTypeError as error:
                parser.error(f"argument -n: {error}")
        else:
            namespace.namespace = text


def run(args: argparse.Namespace) -> int:
    """Submit and print the ids, one per line."""
    from fluxstate_tui.cli.submit_run import submit

    return termination.run(submit(args))
