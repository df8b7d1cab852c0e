"""The operations without a screen: one command for each of the registry.

One line per step with what was read back. With --json, stdout is one JSON document and the lines
go to stderr. Consent is asked for on a terminal; else --yes is needed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fluxstate_tui import termination
from fluxstate_tui.cli.lock import add_lock
from fluxstate_tui.cli.numbers import count, seconds
from fluxstate_tui.cli.options import add_cluster_options
from fluxstate_tui.operations import registry
from fluxstate_tui.operations.base import Choices, OperationKind, Running
from fluxstate_tui.operations.registry import OPERATIONS, OperationSpec

CONSENT = """\
--yes answers what asks for a yes. What is lost for good is never lost by a --yes: cancelling
running jobs (their work), deleting with jobs that no archive has, or that run and are left
running, needs the name of the MiniCluster: --i-know-what-is-lost NAME. It says first what that is.
"""

RESTORE = """\
The MiniCluster is created as it was seen from here, or as --file says. What the archive's manifest
says of it could have been written by anybody who may mount the volume: it is used where nothing
else is known, or with --accept-spec NAME, and then the plan shows all that it asks for, and NAME
has to be typed, or be given by that flag. When nothing runs that has the volume, a helper pod reads
the archives: that is asked first, and --yes answers; --dry-run never starts one.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add one command per operation."""
    for spec in OPERATIONS.values():
        if spec.kind is not OperationKind.MIGRATE:  # it has a module of its own
            _add_command(subparsers, spec)


def _add_command(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], spec: OperationSpec
) -> None:
    restores = spec.kind is OperationKind.RESTORE
    parser = subparsers.add_parser(
        spec.kind.value,
        help=spec.title,
        description=spec.title[0].upper() + spec.title[1:] + ".",
        epilog=CONSENT if spec.on_several else RESTORE if restores else None,
    )
    add_cluster_options(parser)
    if spec.on_several:
        _add_names(parser)
    else:
        parser.add_argument("name", nargs="?", default="", help="the MiniCluster (if several)")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="stdout is one JSON document")
    parser.add_argument("--dry-run", action="store_true", help="show the plan, do nothing")
    add_lock(parser)
    own = _OWN_OPTIONS.get(spec.kind)
    if own is not None:
        own(parser)
    if spec.on_several:
        add_loss(parser)
    parser.set_defaults(run=run, operation=spec.kind)


def add_loss(parser: argparse.ArgumentParser) -> None:
    """The one way to agree to a loss without a terminal."""
    parser.add_argument(
        "--i-know-what-is-lost",
        metavar="NAME",
        default="",
        help="agree to lose what the plan says is lost (see below)",
    )


def _add_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="name", help="the MiniClusters (if several)")
    parser.add_argument(
        "--parallel", type=count, default=1, metavar="N", help="that many side by side (default 1)"
    )


def _add_running(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--wait", type=seconds, metavar="SECONDS", help="wait at most that long for running jobs"
    )
    group.add_argument("--cancel-running", action="store_true", help="cancel running jobs (a loss)")
    group.add_argument(
        "--leave-running", action="store_true", help="go on; running jobs come back FAILED"
    )
    parser.add_argument(
        "--restore-paused", action="store_true", help="a restore of it comes up paused"
    )


def _add_restore(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--archive", default="", metavar="ID|PATH", help="default: the newest")
    group.add_argument(
        "--from",
        dest="from_file",
        type=Path,
        metavar="FILE",
        help="an archive of this computer, entered into the catalog first",
    )
    parser.add_argument(
        "--size", type=count, metavar="N", help="number of pods (default: as saved)"
    )
    parser.add_argument(
        "--accept-spec",
        metavar="NAME",
        default="",
        help="create the MiniCluster NAME as the archive's manifest says (see below)",
    )
    parser.add_argument("-f", "--file", metavar="MANIFEST", help="the MiniCluster to create")
    parser.add_argument(
        "--timeout", type=seconds, default=600.0, metavar="SECONDS", help="for the broker to run"
    )


def _add_save(parser: argparse.ArgumentParser) -> None:
    _add_running(parser)
    parser.add_argument("--keep-paused", action="store_true", help="do not resume after")
    parser.add_argument("--all", action="store_true", help="all MiniClusters (with -A too)")


def _add_delete(parser: argparse.ArgumentParser) -> None:
    _add_running(parser)
    parser.add_argument("--save", action="store_true", help="save first")


_OWN_OPTIONS: dict[OperationKind, Callable[[argparse.ArgumentParser], None]] = {
    OperationKind.SAVE: _add_save,
    OperationKind.DELETE: _add_delete,
    OperationKind.RESTORE: _add_restore,
}


def run(args: argparse.Namespace) -> int:
    """Carry one operation out; returns its exit code."""
    given = vars(args)
    if len(given.get("names", ())) > 1 or given.get("all"):
        from fluxstate_tui.cli.bulk_run import operate_all

        return termination.run(operate_all(args, choices_of(args)))

    from fluxstate_tui.cli.operate_run import operate

    if registry.spec(args.operation).on_several:
        args.name = args.names[0] if args.names else ""
    choices = choices_of(args)
    if choices.manifest is not None:
        _take_identity(args, choices.manifest)
    return termination.run(operate(args, choices))


def _take_identity(args: argparse.Namespace, manifest: dict[str, Any]) -> None:
    """A manifest has its own name and namespace, as for kubectl. Raises ManifestError."""
    from fluxstate_tui.kube.manifest import ManifestError

    metadata = manifest.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name, namespace = metadata.get("name") or "", metadata.get("namespace") or ""
    if namespace and args.namespace and namespace != args.namespace:
        raise ManifestError(
            f"{args.file} is of namespace '{namespace}', which is not '{args.namespace}' of -n.",
            advice=f"Give -n {namespace} (or leave -n out), or change the file.",
        )
    args.namespace = args.namespace or namespace or None
    if not args.name and not name:
        raise ManifestError(
            f"The MiniCluster of {args.file} has no name.", advice="Give a name: restore NAME."
        )
    if args.name and name and args.name != name:
        print(f"note: {args.file} is of {name}; {args.name} is created", file=sys.stderr)
    args.name = args.name or name


def choices_of(args: argparse.Namespace) -> Choices:
    """The flags as choices. Raises FluxstateError for a manifest that cannot be read."""
    from fluxstate_tui.kube.manifest import load_manifest

    given = vars(args)
    running = Running.WAIT
    if given.get("wait") is not None:
        running = Running.WAIT_AT_MOST
    elif given.get("cancel_running"):
        running = Running.CANCEL
    elif given.get("leave_running"):
        running = Running.LEAVE
    return Choices(
        running=running,
        wait_seconds=given.get("wait"),
        keep_paused=bool(given.get("keep_paused")),
        restore_paused=bool(given.get("restore_paused")),
        save_first=bool(given.get("save")),
        archive=given.get("archive") or "",
        from_file=given.get("from_file"),
        size=given.get("size"),
        manifest=load_manifest(Path(given["file"]), args.name) if given.get("file") else None,
        start_timeout=given.get("timeout", 600.0),
        start_helper_pod=bool(given.get("yes") and not given.get("dry_run")),
        dry_run=bool(given.get("dry_run")),
    )
