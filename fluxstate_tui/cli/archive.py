"""`archive`: look into `flux dump` files without Flux."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from fluxstate_tui.cli.numbers import count
from fluxstate_tui.cli.options import add_cluster_options

_Subparsers = argparse._SubParsersAction


def add_parser(subparsers: _Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command with its own commands."""
    parser = subparsers.add_parser(
        "archive",
        help="show, verify, preview or compare flux dump archives",
        description="Look into archives of flux dump. No Flux and no cluster is needed.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_show(commands)
    _add_verify(commands)
    _add_preview(commands)
    _add_diff(commands)


def _add_show(commands: _Subparsers[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("show", help="what is in it, or one job with everything")
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--json", action="store_true", help="with the fields of flux jobs --json")
    parser.add_argument(
        "--job", metavar="ID", help="one job, in any of Flux's forms (ƒ... f... 0x)"
    )
    parser.add_argument("--output", action="store_true", help="what jobs wrote")
    parser.set_defaults(run=_running("show"))


def _add_verify(commands: _Subparsers[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "verify",
        help="is it whole? exit code 0 good, 6 damaged, 1 no archive, 4 no such file",
        description="Levels: L0 size, L1 checksum of its manifest, L2 structure and every job, "
        "L3 opened by real Flux (when a flux is on the PATH).",
    )
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-flux", action="store_true", help="stop at L2")
    parser.set_defaults(run=_running("verify"))


def _add_preview(commands: _Subparsers[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("preview", help="what a restore would do with every job")
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--size", type=count, required=True, metavar="N", help="nodes")
    parser.add_argument("--cores", type=count, metavar="M", help="cores of each node")
    parser.add_argument(
        "--max-size", type=count, metavar="N", help="nodes that Flux knows of, up or down"
    )
    parser.add_argument("--name", default="", help="of the MiniCluster: its hosts are NAME-0 ...")
    parser.add_argument("--uid", type=int, metavar="U", help="owner of the new instance")
    parser.add_argument(
        "--queue", action="append", metavar="NAME", help="named queues of the new configuration"
    )
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=_running("preview"))


def _add_diff(commands: _Subparsers[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("diff", help="what differs between two archives")
    parser.add_argument("file", metavar="A")
    parser.add_argument("other", metavar="B", nargs="?", help="the second archive")
    parser.add_argument(
        "--with", dest="live", metavar="NAME", help="compare with the live queue of a MiniCluster"
    )
    parser.add_argument("--json", action="store_true")
    add_cluster_options(parser)
    parser.set_defaults(run=_running("diff"))


def _running(name: str) -> Callable[[argparse.Namespace], int]:
    def run(args: argparse.Namespace) -> int:
        from fluxstate_tui.cli import archive_run

        command: Callable[[argparse.Namespace], int] = getattr(archive_run, name)
        return command(args)

    return run
