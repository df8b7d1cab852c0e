"""The dashboard: on a cluster, on a simulated one (`--demo`), or on an archive file (`open`)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fluxstate_tui.broker.shell_commands import own_line
from fluxstate_tui.cli.demo import demo_cluster
from fluxstate_tui.cli.options import add_cluster_options, configuration, kube_options
from fluxstate_tui.errors import ExitCode, FluxstateError

TUTORIAL_SPEED = 20.0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`open FILE`: the dashboard on an archive, without a cluster."""
    parser = subparsers.add_parser("open", help="look into an archive file on the screen")
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--theme", metavar="NAME", help="a theme (default flux-dark)")
    add_cluster_options(parser)
    parser.set_defaults(run=_open, demo=False)


def run_dashboard(args: argparse.Namespace) -> int:
    """Open the dashboard; without a terminal, `--demo` plays the tutorial instead."""
    if not sys.stdout.isatty():
        if args.demo:
            from fluxstate_tui.demo.tutorial import play

            return play(speed=args.demo_speed or TUTORIAL_SPEED)
        raise FluxstateError(
            "the dashboard needs a terminal, and standard output is none",
            advice="use `fluxstate-tui get miniclusters --json` and the other commands (--help)",
            exit_code=ExitCode.USAGE,
        )
    with demo_cluster(args):
        return _show(args, archive=None)


def _open(args: argparse.Namespace) -> int:
    if not sys.stdout.isatty():
        raise FluxstateError(
            "the dashboard needs a terminal, and standard output is none",
            advice=f"use `{own_line('archive', 'show', names=[str(args.file)])}`",
            exit_code=ExitCode.USAGE,
        )
    if not args.file.is_file():
        raise FluxstateError(
            f"there is no file {args.file}",
            advice="name an archive made by `flux dump`",
            exit_code=ExitCode.NOT_FOUND,
        )
    return _show(args, archive=args.file)


def _show(args: argparse.Namespace, archive: Path | None) -> int:
    from msgspec.structs import replace

    from fluxstate_tui.tui.run import run

    options, config = kube_options(args, terminal=False), configuration()
    if args.write or args.demo:
        config = replace(config, protected=())
    return run(options, config=config, theme=args.theme, archive=archive, demo=args.demo)
