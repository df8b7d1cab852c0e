"""`archives`: the catalog of a MiniCluster, running or not, or a folder of archives here."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from fluxstate_tui import termination
from fluxstate_tui.cli.numbers import count, seconds
from fluxstate_tui.cli.options import add_cluster_options

_Subparsers = argparse._SubParsersAction
_WHERE = """\
WHERE is the name of a MiniCluster, which need not exist any more: then a short-lived helper pod
reads its volume. It is asked for before that is started; --yes answers, and so does `helper-pod:
start: always` in the configuration. With --folder DIR there is no name: the archives lie in that
folder.
"""


def add_parser(subparsers: _Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command with its own commands."""
    parser = subparsers.add_parser(
        "archives",
        help="list, verify, fetch, put, remove, prune or adopt the archives of a MiniCluster",
        description="The catalog of a MiniCluster's archives.",
        epilog=_WHERE,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add(commands, "list", "what there is")
    _add_verify(commands)
    _add_fetch(commands)
    _add_remove(commands)
    _add_prune(commands)
    _add_adopt(commands)
    _add(commands, "put", "enter archives of this computer into the catalog, verified", "FILE...")


def _add(
    commands: _Subparsers[argparse.ArgumentParser], name: str, words: str, ids: str = ""
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=words, description=words[0].upper() + words[1:] + ".", epilog=_WHERE
    )
    metavar = f"WHERE {ids}".strip()
    parser.add_argument("words", nargs="*", metavar=metavar, help="see below")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="a folder of this computer")
    parser.add_argument("--json", action="store_true", help="stdout is one JSON document")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    add_cluster_options(parser)
    parser.set_defaults(run=_running(name))
    return parser


def _add_verify(commands: _Subparsers[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands, "verify", "read archives out and check them; exit code 6 if one is bad", "[ID...]"
    )
    parser.add_argument("--no-flux", action="store_true", help="stop at L2, structure and jobs")


def _add_fetch(commands: _Subparsers[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "fetch", "copy archives to this computer, verified", "ID...")
    parser.add_argument(
        "--to", type=Path, default=Path(), metavar="DIR", help="into that folder (default: here)"
    )
    parser.add_argument("--damaged", action="store_true", help="also what is not sound")


def _add_remove(commands: _Subparsers[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "remove", "remove archives", "ID...")
    _add_dry_run(parser)
    parser.add_argument(
        "--i-know-what-is-lost",
        metavar="NAME",
        default="",
        help="remove the last good archive of the MiniCluster NAME, too",
    )


def _add_prune(commands: _Subparsers[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands, "prune", "remove what a retention policy lets go, never the last verified one"
    )
    _add_dry_run(parser)
    parser.add_argument("--keep-last", type=count, metavar="N", help="keep the newest N")
    parser.add_argument(
        "--keep-within", type=seconds, metavar="TIME", help="keep what is younger (30d, 12h)"
    )


def _add_adopt(commands: _Subparsers[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands, "adopt", "enter archives of plain `flux dump` into the catalog", "PATH..."
    )
    parser.add_argument(
        "--minicluster", metavar="NAME", default="", help="whose it is (with --folder)"
    )


def _add_dry_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="say what would go, remove nothing")


def _running(name: str) -> Callable[[argparse.Namespace], int]:
    def run(args: argparse.Namespace) -> int:
        from fluxstate_tui.cli.catalog_run import COMMANDS

        return termination.run(COMMANDS[name](args))

    return run
