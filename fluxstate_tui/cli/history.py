"""`log` and `unfinished`: what was done from this computer, and what was interrupted."""

from __future__ import annotations

import argparse

from fluxstate_tui import termination
from fluxstate_tui.cli.numbers import count
from fluxstate_tui.cli.operate import add_loss
from fluxstate_tui.cli.options import add_cluster_options

_Subparsers = argparse._SubParsersAction


def add_parser(subparsers: _Subparsers[argparse.ArgumentParser]) -> None:
    """Add both commands."""
    log = subparsers.add_parser(
        "log",
        help="who did what when from this computer",
        description="The audit log of this computer, oldest first; exit code 6 if it was changed.",
    )
    log.add_argument("name", nargs="?", default="", help="only this MiniCluster")
    log.add_argument("-n", "--namespace", metavar="NS", default="", help="only this namespace")
    log.add_argument("--last", type=count, metavar="N", help="only the newest N")
    log.add_argument("--commands", action="store_true", help="also how to do it by hand")
    log.add_argument("--json", action="store_true", help="stdout is one JSON document")
    log.set_defaults(run=_log)

    unfinished = subparsers.add_parser(
        "unfinished",
        help="operations that were interrupted, and what they left",
        description="Operations whose program was killed. Each is compared with the world first.",
    )
    which = unfinished.add_mutually_exclusive_group()
    which.add_argument("--finish", metavar="ID", default="", help="put right what it left")
    which.add_argument("--close", metavar="ID", default="", help="do not show it any more")
    add_loss(unfinished)
    unfinished.add_argument("-y", "--yes", action="store_true", help="do not ask")
    unfinished.add_argument("--dry-run", action="store_true", help="show the plan, do nothing")
    unfinished.add_argument("--json", action="store_true", help="stdout is one JSON document")
    add_cluster_options(unfinished)
    unfinished.set_defaults(run=_unfinished)


def _log(args: argparse.Namespace) -> int:
    from fluxstate_tui.cli.history_run import log

    return log(args)


def _unfinished(args: argparse.Namespace) -> int:
    from fluxstate_tui.cli.history_run import unfinished

    return termination.run(unfinished(args))
