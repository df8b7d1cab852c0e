"""The audit log: who did what when, how it ended, and the commands to do it again by hand.

One JSON object per line in `audit.jsonl` of the state directory; it is only ever appended to. Each
line holds the hash of the one before it, and `audit.head` the hash of the newest, so that a line
that was changed, taken out, put in or cut off at the end is noticed. It is a log of one computer
for honest people: who may write the file can write a whole new one.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.catalog.helper_pod import HelperPodNeededError
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations import journal
from fluxstate_tui.operations.base import OperationKind, Outcome
from fluxstate_tui.operations.journal import Record
from fluxstate_tui.private_files import open_private, private_folder, write_private

FILE = "audit.jsonl"
HEAD = "audit.head"
_FIRST = "0" * 64
_ENDING = 1 << 16


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done. `at` is when it ended, in seconds since the epoch.

    `outcome` is a word of plan.OutcomeKind, or Refused; `commands` are lines for a shell.
    """

    at: float
    who: str
    what: str
    namespace: str
    name: str
    uid: str
    server: str
    outcome: str
    reason: str
    commands: tuple[str, ...] = ()

    @property
    def target(self) -> ClusterRef:
        """The MiniCluster that it was done to."""
        return ClusterRef(self.namespace, self.name, self.uid)


@dataclass(frozen=True, slots=True)
class Log:
    """What was read. `problem` says where the chain is broken, '' when it is whole.

    `entries` are all that can be read, oldest first, those after a broken link too.
    """

    entries: tuple[Entry, ...]
    problem: str = ""


def append(state_dir: Path, entry: Entry) -> None:
    """Add one line and flush it to the disk. Raises OSError."""
    private_folder(state_dir)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    with os.fdopen(open_private(state_dir / FILE, flags), "r+b") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # two programs may end at the same moment
        last, whole = _last_line(handle.fileno())
        line = _line(entry, _hash(last) if last else _FIRST)
        # A line that a crash cut off stays as it is: it is a broken link, and is shown as one.
        handle.write(line if whole else b"\n" + line)
        handle.flush()
        os.fsync(handle.fileno())
        _write_head(state_dir, _hash(line.rstrip(b"\n")))


def read(state_dir: Path) -> Log:
    """The whole log, with its chain checked. Raises OSError when it cannot be read."""
    try:
        lines = (state_dir / FILE).read_bytes().split(b"\n")
    except FileNotFoundError:
        lines = [b""]
    entries: list[Entry] = []
    problem = "the last line is cut off" if lines[-1] else ""
    before, known = _FIRST, set()
    for number, line in enumerate((line for line in lines if line), 1):
        body = _parsed(line)
        if body is None:
            problem = problem or f"line {number} cannot be read"
        elif body.pop("previous") != before:
            problem = problem or f"line {number} does not follow the one before it"
        if body is not None:
            entries.append(_entry(body))
        before = _hash(line)
        known.add(before)
    head = _head(state_dir)
    if head and head not in known:
        problem = problem or "the newest entries are missing"
    return Log(tuple(entries), problem)


def _line(entry: Entry, previous: str) -> bytes:
    body = {**asdict(entry), "previous": previous}
    text = json.dumps(body, sort_keys=True, ensure_ascii=False)
    return text.encode(errors="backslashreplace") + b"\n"  # names of files need not be UTF-8


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _last_line(descriptor: int) -> tuple[bytes, bool]:
    """The last line without its end, and whether it has one (so has an empty file)."""
    end = os.lseek(descriptor, 0, os.SEEK_END)
    length = _ENDING
    while True:
        data = os.pread(descriptor, length, max(0, end - length))
        whole = data.endswith(b"\n") or not data
        lines = data.rstrip(b"\n").split(b"\n")
        if len(lines) > 1 or length >= end:
            return lines[-1], whole
        length *= 2


def _write_head(state_dir: Path, digest: str) -> None:
    write_private(state_dir / HEAD, digest.encode())


def _head(state_dir: Path) -> str:
    try:
        return (state_dir / HEAD).read_text()
    except OSError:
        return ""


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(line)
    except ValueError:
        return None
    wanted = {field.name for field in fields(Entry)} | {"previous"}
    return body if isinstance(body, dict) and wanted <= body.keys() else None


def _entry(body: dict[str, Any]) -> Entry:
    known = {field.name: body[field.name] for field in fields(Entry)}
    return Entry(**{**known, "commands": tuple(known["commands"])})


# From the journal of an operation that ended to a line of the audit log.

_log = logging.getLogger(__name__)


def audited(state_dir: Path, path: Path, outcome: Outcome, now: float) -> Outcome:
    """Write how the operation of that journal ended; the outcome, which says so if that failed."""
    try:
        record = journal.read(path)
        if record is not None:
            append(state_dir, entry_of(record, outcome, now))
        return outcome
    except OSError as error:
        # What was done is done, and is in the journal: it must not look as if it had failed.
        _log.warning("the audit log cannot be written: %s", error)
        advice = f"{outcome.advice} The audit log could not be written: {error}.".strip()
        return replace(outcome, advice=advice)


def entry_of(record: Record, outcome: Outcome, now: float) -> Entry:
    """The line for one operation."""
    target = record.target
    return Entry(
        at=now,
        who=record.who,
        what=record.operation,
        namespace=target.namespace,
        name=target.name,
        uid=target.uid,
        server=record.server,
        outcome=outcome.kind.value,
        reason=outcome.reason,
        commands=shell_commands(record),
    )


def shell_commands(record: Record) -> tuple[str, ...]:
    """The lines that do it again, step by step; what a step read back follows as a comment.

    Steps that changed and asked nothing have none.
    """
    return tuple(
        line + (_comment(record.read_backs.get(step, "")) if line is lines[-1] else "")
        for step, lines in record.commands.items()
        for line in lines
    )


def _comment(text: str) -> str:
    # On one line, whatever was read: a comment must not turn into a command.
    return f"  # {' '.join(text.split())}" if text.strip() else ""


# What was refused is in the audit log too: somebody wanted it, and why it was not done.

REFUSED = "Refused"


@contextmanager
def logged(context: OperationContext, what: str, ref: ClusterRef) -> Iterator[None]:
    """A refusal inside the block is logged and goes on its way."""
    try:
        yield
    except HelperPodNeededError:  # somebody is going to be asked
        raise
    except FluxstateError as error:
        if error.exit_code in (ExitCode.REFUSED, ExitCode.LOCKED):
            log(context, what, ref, error.message)
        raise


@contextmanager
def said(context: OperationContext, what: OperationKind, ref: ClusterRef) -> Iterator[None]:
    """The same for who was asked whether a helper pod may be started, and said no."""
    try:
        yield
    except HelperPodNeededError as error:
        log(context, what, ref, error.message)
        raise


def log(
    context: OperationContext,
    what: str,
    ref: ClusterRef,
    why: str,
    *,
    outcome: str = REFUSED,
    commands: tuple[str, ...] = (),
) -> None:
    """One line. Trouble with the log is no trouble for what was done or refused."""
    entry = Entry(
        at=context.clock.now(),
        who=context.who,
        what=str(what),
        namespace=ref.namespace,
        name=ref.name,
        uid=ref.uid,
        server=context.cluster.server,
        outcome=outcome,
        reason=why,
        commands=commands,
    )
    try:
        append(context.state_dir, entry)
    except OSError as error:
        _log.warning("the audit log cannot be written: %s", error)
