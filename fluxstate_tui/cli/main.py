"""The program `fluxstate-tui`: parse, dispatch, and turn every error into one clear message.

Nothing heavy is imported here: `--help` and `--version` must not pay for textual or kubernetes.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from fluxstate_tui import charset, termination
from fluxstate_tui.cli import lasting
from fluxstate_tui.cli.options import DEFAULTS, add_cluster_options
from fluxstate_tui.errors import ExitCode, FluxstateError, said
from fluxstate_tui.version import __version__

COMMAND_MODULES = (
    "get",
    "doctor",
    "submit",
    "job",
    "operate",
    "migrate",
    "archive",
    "catalog",
    "assets",
    "history",
    "dashboard",
    "sim",
)

# These need no cluster, or start it themselves when there is a terminal.
WITHOUT_CLUSTER = (None, "open", "archive", "sim")

# These draw on the terminal, which standard error is too.
DASHBOARDS = (None, "open")

EPILOG = """\
Without a command the dashboard opens. Try it without a cluster: fluxstate-tui --demo

exit codes: 0 ok, 1 failure, 2 usage, 3 cannot connect or authenticate, 4 not found,
5 refused by a safety rule, 6 verification failed, 7 locked by another operator,
8 outcome unknown, 130 interrupted (Ctrl-C, SIGTERM, SIGHUP; again: do not put back)
"""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line. Each module of COMMAND_MODULES adds its own commands."""
    parser = argparse.ArgumentParser(
        prog="fluxstate-tui",
        description="The state of Flux MiniClusters: watch, pause, save, delete, restore.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, help="versions of it and of what it uses")
    parser.add_argument("--theme", metavar="NAME", help="a theme (default flux-dark)")
    add_cluster_options(parser)
    parser.set_defaults(run=_run_dashboard, **DEFAULTS)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for name in COMMAND_MODULES:
        importlib.import_module(f"fluxstate_tui.cli.{name}").add_parser(subparsers)
    return parser


def entry() -> None:
    """Console script: run and exit with the documented code."""
    charset.begin()
    lasting.begin()
    termination.begin()
    sys.exit(main(sys.argv[1:], own_process=True))


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse one command line. Ends the program with exit code 2 when it makes no sense.

    argparse of Python 3.11 gives up on an optional word that stands behind a flag
    (`get jobs -a NAME`, python/cpython#59317): here it still becomes the name.
    """
    parser = build_parser()
    args, left = parser.parse_known_args(argv)
    if len(left) == 1 and not left[0].startswith("-") and getattr(args, "name", None) == "":
        args.name = left.pop()
    elif left and hasattr(args, "names") and not any(word.startswith("-") for word in left):
        args.names, left = [*args.names, *left], []
    if left:
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    return args


def main(argv: Sequence[str], *, own_process: bool = False) -> int:
    """Run one command line and return its exit code. No traceback ever reaches a user.

    In a process of its own all that is logged goes to a file, not to the terminal.
    """
    try:
        args = parse(_with_files_as_archives(argv))
        if own_process:
            _begin_log(args)
        return _run(args)
    except FluxstateError as error:
        report(error)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    except OSError as error:  # a full disk, a folder that may not be written
        report(FluxstateError(said(error)))
        return int(ExitCode.FAILURE)
    except SystemExit:
        raise
    except BaseException as error:  # the last line of defence: a bug must not look like a data loss
        return _report_bug(error)


def _begin_log(args: argparse.Namespace) -> None:
    # Not at the top: --help and --version log nothing, and need no logging.
    from fluxstate_tui.cli import logfile

    draws = args.command in DASHBOARDS and sys.stdout.isatty()
    logfile.begin(on_stderr=bool(os.environ.get("FLUXSTATE_DEBUG")) and not draws)


def _run(args: argparse.Namespace) -> int:
    if not args.demo or args.command in WITHOUT_CLUSTER:
        return int(args.run(args))
    from fluxstate_tui.cli.demo import demo_cluster

    with demo_cluster(args):
        return int(args.run(args))


def report(error: FluxstateError) -> None:
    """Say on stderr what happened, what is safe, and what to do."""
    from fluxstate_tui.formatting import plain_lines

    for mark, text in (("error", error.message), (" safe", error.safe), ("   do", error.advice)):
        if text:
            print(f"{mark}: {plain_lines(text)}", file=sys.stderr)


def _report_bug(error: BaseException) -> int:
    if os.environ.get("FLUXSTATE_DEBUG"):
        raise error
    from fluxstate_tui.cli import logfile

    kept = logfile.kept(error)
    report(
        FluxstateError(
            f"a bug in fluxstate-tui: {type(error).__name__}: {error}",
            safe="archives and MiniClusters are only changed in steps that are read back; "
            "nothing was changed by this message",
            advice=f"report it with the last lines of {kept}"
            if kept
            else "run it again with FLUXSTATE_DEBUG=1 and report the traceback",
        )
    )
    return int(ExitCode.FAILURE)


def _with_files_as_archives(argv: Sequence[str]) -> list[str]:
    """`fluxstate-tui FILE.tar.gz` opens the dashboard on that archive."""
    arguments = list(argv)
    if arguments and not arguments[0].startswith("-") and os.path.isfile(arguments[0]):
        return ["open", *arguments]
    return arguments


def _run_dashboard(args: argparse.Namespace) -> int:
    from fluxstate_tui.cli.dashboard import run_dashboard

    return run_dashboard(args)


class _Version(argparse.Action):
    """Looks the versions up only when asked: reading package metadata costs 20 ms."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(_versions())
        parser.exit()


def _versions() -> str:
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for package in ("textual", "kubernetes", "aiohttp"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} missing")
    return f"fluxstate-tui {__version__} ({', '.join(found)})"
