"""`doctor`: what is wrong, why, and what to do."""

from __future__ import annotations

import argparse

from fluxstate_tui import termination
from fluxstate_tui.cli.options import add_cluster_options


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "doctor",
        help="say what is wrong, why, and what to do",
        description="Diagnose one MiniCluster; without a name the installation and all of them. "
        "The exit code is 0 only if no error and no warning was found.",
    )
    parser.add_argument("name", nargs="?", default="", help="a MiniCluster")
    parser.add_argument("--json", action="store_true", help="as JSON")
    add_cluster_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print it; returns the exit code."""
    from fluxstate_tui.cli.doctor_run import doctor

    return termination.run(doctor(args))
