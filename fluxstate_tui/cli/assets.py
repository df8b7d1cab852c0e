"""`assets`: directories of a MiniCluster's volumes, saved beside its archives and put back."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from fluxstate_tui import termination
from fluxstate_tui.cli.numbers import count
from fluxstate_tui.cli.options import add_cluster_options

_Subparsers = argparse._SubParsersAction
_EPILOG = """\
The work is done in the lead's container, which has to run and needs a Python 3. States lie in the
folder `assets` of the catalog of spec.archive.path. Exit code 6: a state is incomplete or damaged.
"""


def add_parser(subparsers: _Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command with its own commands."""
    parser = subparsers.add_parser(
        "assets",
        help="save, list, verify or restore directories of a MiniCluster's volumes",
        description="Files of a MiniCluster's volumes, saved beside its archives.",
        epilog=_EPILOG,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = _add(commands, "list", "the states, and how much directories hold")
    listing.add_argument("directories", nargs="*", metavar="DIR", help="measure that directory")
    _add_save(commands)
    _add_verify(commands)
    _add_restore(commands)
    _add(commands, "files", "every path of a state").add_argument("state", metavar="STATE")


def _add(
    commands: _Subparsers[argparse.ArgumentParser], name: str, words: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=words, description=words[0].upper() + words[1:] + ".", epilog=_EPILOG
    )
    parser.add_argument("minicluster", metavar="NAME", help="the MiniCluster")
    parser.add_argument("--json", action="store_true", help="stdout is one JSON document")
    add_cluster_options(parser)
    parser.set_defaults(run=_running(name))
    return parser


def _add_save(commands: _Subparsers[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "save", "save directories as a new state")
    parser.add_argument("directories", nargs="+", metavar="DIR", help="on a volume of the lead")
    parser.add_argument(
        "--exclude", action="append", default=[], metavar="GLOB", help="leave out; may be repeated"
    )
    parser.add_argument(
        "--allow-incomplete", action="store_true", help="exit code 0 although files are missing"
    )
    _add_consent(parser)


def _add_verify(commands: _Subparsers[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "verify", "check states against their packs; exit code 6 if one is bad")
    parser.add_argument("states", nargs="*", metavar="STATE", help="default: all")
    parser.add_argument(
        "--level", type=int, choices=(1, 2), default=2, help="1 sizes, 2 hashes (default)"
    )
    parser.add_argument(
        "--percent", type=count, default=100, metavar="N", help="hash so many of a hundred"
    )


def _add_restore(commands: _Subparsers[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "restore", "put a state back; what differs is kept unless told")
    parser.add_argument("state", metavar="STATE")
    parser.add_argument("--to", metavar="DIR", default="", help="another directory of a volume")
    parser.add_argument(
        "--overwrite", action="store_true", help="also what differs; that is kept aside"
    )
    parser.add_argument(
        "--set-id", action="store_true", help="set-user-ID and set-group-ID bits as well"
    )
    _add_consent(parser)


def _add_consent(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def _running(name: str) -> Callable[[argparse.Namespace], int]:
    def run(args: argparse.Namespace) -> int:
        from fluxstate_tui.cli.assets_run import COMMANDS, run_command

        return termination.run(run_command(COMMANDS[name], args))

    return run
