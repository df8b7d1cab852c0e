"""What `log` and `unfinished` do."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from datetime import datetime

from fluxstate_tui.broker.context import OperationContext, default_state_dir
from fluxstate_tui.broker.shell_commands import option, own_line
from fluxstate_tui.cli.operate_run import prepared, with_consent
from fluxstate_tui.cli.options import kube_options
from fluxstate_tui.cli.short_script import short_script
from fluxstate_tui.cli.tables import table
from fluxstate_tui.cli.target import open_context
from fluxstate_tui.clock import SystemClock
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.formatting import plain
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import audit, journal
from fluxstate_tui.operations import recovery as recover
from fluxstate_tui.operations.archives import is_of_catalog
from fluxstate_tui.operations.journal import Record
from fluxstate_tui.operations.recovery import Finding
from fluxstate_tui.operations.steps import RefusedError


def log(args: argparse.Namespace) -> int:
    """Print the audit log; what is wrong with it is told and makes the exit code 6."""
    state_dir = default_state_dir()
    found = audit.read(state_dir)
    entries = [entry for entry in found.entries if _wanted(entry, args)]
    if args.last is not None:
        entries = entries[-args.last :] if args.last > 0 else []
    if args.json:
        document = {"problem": found.problem, "entries": [asdict(entry) for entry in entries]}
        print(json.dumps(document, indent=2))
    elif args.commands:
        for entry in entries:
            print(plain(f"# {_when(entry.at)} {entry.what} {entry.target}: {entry.outcome}"))
            print("\n".join(map(plain, short_script(entry.commands))))
    elif entries:
        print(table(("WHEN", "WHO", "WHAT", "MINICLUSTER", "OUTCOME", "WHY"), map(_row, entries)))
    else:
        print("Nothing was done yet.")
    waiting = len(journal.unfinished(state_dir))
    if waiting:
        print(f"{waiting} interrupted: see fluxstate-tui unfinished", file=sys.stderr)
    if found.problem:
        print(f"NOT what was written: {found.problem} ({state_dir / audit.FILE})", file=sys.stderr)
        return ExitCode.VERIFICATION
    return ExitCode.OK


async def unfinished(args: argparse.Namespace) -> int:
    """List interrupted operations as the world is now, finish one, or close one."""
    records = journal.unfinished(default_state_dir())
    wanted = args.finish or args.close
    if wanted:
        record = _chosen(records, wanted)
        if is_of_catalog(record):  # there is nothing to ask a cluster
            return _close_catalog(args, record)
        async with open_context(kube_options(args)) as context:
            finding = await recover.look(context, record)
            print("\n".join(map(plain, finding.says)), file=sys.stderr)
            return await (_finish if args.finish else _close)(args, context, finding)
    findings = await _look(args, records) if records else []
    if args.json:
        print(json.dumps({"unfinished": [_json(one) for one in findings]}, indent=2))
    elif not findings:
        print("Nothing was interrupted.")
    for one in findings if not args.json else ():
        print(f"{identity(one.record)}  {_when(one.record.began)}  {plain(' '.join(one.says))}")
        if one.next or one.asked:
            print(f"{'':10}do: {_command(args, one)}")
    return ExitCode.OK


def _command(args: argparse.Namespace, finding: Finding) -> str:
    """What to type, for the context that was asked: another one may find something else."""
    way = "--finish" if finding.next else "--close"
    there = option("--context", args.context or "")
    return own_line("unfinished", way, identity(finding.record), *there)


def identity(record: Record) -> str:
    """The short id of a journal: the last part of its name."""
    return record.path.stem.rpartition("-")[2]


async def _look(args: argparse.Namespace, records: list[Record]) -> list[Finding]:
    """What the journals say stands, also when the cluster cannot be reached."""
    try:
        async with open_context(kube_options(args)) as context:
            return [await recover.look(context, record) for record in records]
    except FluxstateError as error:
        if error.exit_code is not ExitCode.NO_CONNECTION:
            raise
        why = f"The cluster cannot be asked now: {error.message}"
        return [
            recover.of_catalog(record) if is_of_catalog(record) else recover.not_asked(record, why)
            for record in records
        ]


async def _finish(args: argparse.Namespace, context: OperationContext, finding: Finding) -> int:
    """Do what is left to be done, then close it."""
    target = finding.record.target
    if not finding.next:
        return await _close(args, context, finding)
    ref = ClusterRef(target.namespace, target.name, "")
    choices = replace(finding.choices, dry_run=args.dry_run)
    operation = await prepared(args, finding.next, context, ref, choices)
    try:
        code = await with_consent(args, operation, sys.stderr if args.json else sys.stdout)
    finally:
        await operation.close()
    if code == ExitCode.OK and not args.dry_run:
        left = await recover.settle(context, finding)
        if left is not None:
            print("\n".join(map(plain, left.says[1:])), file=sys.stderr)
            if left.next:
                print(f"  do: {_command(args, left)}", file=sys.stderr)
    return code


async def _close(args: argparse.Namespace, context: OperationContext, finding: Finding) -> int:
    """Write into its journal what was seen. Something that is left needs a clear yes."""
    if finding.next and not args.yes:
        raise RefusedError(
            f"something of it is left: {finding.next} would put it right",
            safe="Nothing was done.",
            advice=f"--finish {identity(finding.record)}, or --close with --yes to leave it.",
        )
    if not finding.asked and not (args.close and args.yes):
        raise RefusedError(
            "nobody could look at what it left",
            safe="Nothing was done.",
            advice="Try again when it can be asked, with the --context of its cluster; or "
            f"--close {identity(finding.record)} --yes closes it unseen.",
        )
    if not args.dry_run:
        recover.close(context, finding)
    return _closed(args, finding.record)


def _close_catalog(args: argparse.Namespace, record: Record) -> int:
    """Say once more what may be left to do by hand, and close it."""
    finding = recover.of_catalog(record)
    print("\n".join(map(plain, finding.says)), file=sys.stderr)
    if not args.dry_run:
        recover.close_in(default_state_dir(), finding, SystemClock().now())
    return _closed(args, record)


def _closed(args: argparse.Namespace, record: Record) -> int:
    if not args.dry_run:
        print(f"closed {identity(record)}", file=sys.stderr)
    if args.json:
        print(json.dumps({"wouldClose" if args.dry_run else "closed": identity(record)}))
    return ExitCode.OK


def _chosen(records: list[Record], wanted: str) -> Record:
    for record in records:
        if wanted in (identity(record), record.path.stem):
            return record
    raise FluxstateError(
        f"there is no unfinished operation {wanted!r}",
        safe="Nothing was done.",
        advice="List them: fluxstate-tui unfinished",
        exit_code=ExitCode.NOT_FOUND,
    )


def _wanted(entry: audit.Entry, args: argparse.Namespace) -> bool:
    return args.name in ("", entry.name) and args.namespace in ("", entry.namespace)


def _row(entry: audit.Entry) -> tuple[str, ...]:
    target = f"{entry.namespace}/{entry.name}" if entry.namespace else entry.name
    return (_when(entry.at), entry.who, entry.what, target, entry.outcome, entry.reason)


def _when(at: float) -> str:
    """Local time."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S%z")


def _json(finding: Finding) -> dict[str, object]:
    record = finding.record
    return {
        "id": identity(record),
        "operation": record.operation,
        "namespace": record.target.namespace,
        "name": record.target.name,
        "who": record.who,
        "server": record.server,
        "began": record.began,
        "lastStep": record.last_step,
        "says": list(finding.says),
        "next": finding.next.value if finding.next is not None else "",
    }
