"""`job`: what keys do to jobs, for scripts."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from fluxstate_tui import termination
from fluxstate_tui.cli.options import add_cluster_options
from fluxstate_tui.errors import ExitCode, FluxstateError

if TYPE_CHECKING:
    from fluxstate_tui.live.actions import JobVerb

# Words of the command line -> the verbs of live.actions, which is imported when one is carried out.
VERBS: dict[str, JobVerb] = {
    "cancel": "cancel",
    "hold": "hold",
    "release": "release",
    "urgency": "urgency",
    "limit": "limit",
    "time-limit": "limit",
    "kill": "kill",
    "raise": "raise",
    "again": "again",
    "submit-again": "again",
}
# What a verb needs to be told, and what it may be told.
NEEDS = {"urgency": ("urgency",), "limit": ("limit",), "raise": ("type",)}
TAKES = {"cancel": ("note",), "raise": ("severity", "note")}
_FLAGS = {
    "urgency": "--urgency",
    "limit": "--time-limit",
    "type": "--type",
    "severity": "--severity",
    "note": "--note",
}

DESCRIPTION = """\
Do something to jobs, as the keys of the dashboard do. Each is read back from its eventlog.

  cancel [--note TEXT]           ends it; it does not come back
  kill                           sends SIGTERM to its tasks
  raise --type WORD [--severity 0-7] [--note TEXT]
                                 an exception; severity 0 (the default) ends the job
  hold, release                  urgency 0, and 16
  urgency --urgency 0-31         0 holds it, 31 goes before all others
  limit --time-limit TIME        how long it may run from its start: 90s 10m 1.5h; 0 = none
  again                          the same jobspec as a new job, with its urgency of now
"""

EPILOG = """\
cancel, kill and raise cannot be undone: they ask on a terminal, else --yes is needed.
The exit code is 0 only if it was done to every job that was named; 1 if to some or none,
4 if there is no such job, 8 if Flux took it but nothing of it can be read back.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "job",
        help="cancel, hold, release, kill ... jobs of a MiniCluster",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", choices=VERBS, metavar="VERB", help="see above")
    parser.add_argument("name", help="the MiniCluster")
    parser.add_argument("ids", nargs="+", metavar="ID", help="jobs, in any of Flux's forms")
    for name, flag in _FLAGS.items():
        parser.add_argument(flag, dest=name, metavar=_METAVARS[name], help=argparse.SUPPRESS)
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--dry-run", action="store_true", help="show what would be done")
    add_cluster_options(parser)
    parser.set_defaults(run=run)


_METAVARS = {
    "urgency": "0-31",
    "limit": "TIME",
    "type": "WORD",
    "severity": "0-7",
    "note": "TEXT",
}


def run(args: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    from fluxstate_tui.cli.job_run import act_on_jobs
    from fluxstate_tui.flux.jobid import parse_job_id
    from fluxstate_tui.live.actions import MistakeError, read_request

    word = VERBS[args.verb]
    needs, takes = NEEDS.get(word, ()), TAKES.get(word, ())
    given = {name: vars(args)[name] for name in _FLAGS if vars(args)[name] is not None}
    for name in needs:
        if name not in given:
            raise _mistake(f"{args.verb} needs {_FLAGS[name]} {_METAVARS[name]}")
    for name in given:
        if name not in (*needs, *takes):
            raise _mistake(f"{_FLAGS[name]} is not for {args.verb}")
    try:
        request = read_request(word, given)
        ids = tuple(dict.fromkeys(map(parse_job_id, args.ids)))
    except (MistakeError, ValueError) as error:
        raise _mistake(str(error)) from None
    return termination.run(act_on_jobs(args, ids, request))


def _mistake(text: str) -> FluxstateError:
    return FluxstateError(
        text,
        safe="Nothing was done.",
        advice="See fluxstate-tui job --help.",
        exit_code=ExitCode.USAGE,
    )
