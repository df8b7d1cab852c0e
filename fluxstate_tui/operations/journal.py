"""The write-ahead journal: what an operation meant to do, did, and how it ended, on disk.

One file per operation, one JSON object per line, each with a checksum and flushed to the disk
before the step that it announces. The file stays locked (flock) while its operation lives, so that
an unlocked file without an outcome is one whose dashboard was killed.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import secrets
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.base import OperationKind, Outcome, Plan, StepEvent
from fluxstate_tui.private_files import open_private, private_folder

_log = logging.getLogger(__name__)

_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Record:
    """What one journal file says. `outcome` is None while it is unfinished.

    `operation` is the word that was written, `kind` what it means, None if only another version
    knows. `titles` are the planned steps as people see them. `steps` maps a step to its last state,
    `commands` to the lines for a shell that do the same, `read_backs` to what it read back last;
    `facts` are what was remembered for an undo; `undone` are the undo actions that were carried
    out, `left` those that failed; `torn` says that the last line was cut.
    """

    path: Path
    operation: str
    target: ClusterRef
    who: str
    server: str
    began: float
    titles: dict[str, str] = field(default_factory=dict)
    steps: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    undone: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    outcome: dict[str, Any] | None = None
    torn: bool = False
    commands: dict[str, tuple[str, ...]] = field(default_factory=dict)
    read_backs: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> OperationKind | None:
        """What was done, None if this version does not know it."""
        return OperationKind.of(self.operation)

    @property
    def last_step(self) -> str:
        """The step that was begun last, '' if none was."""
        return next(reversed(self.steps), "")

    @property
    def reached(self) -> str:
        """How far it came, in words."""
        last = self.last_step
        return f"at '{self.titles.get(last, last)}'" if last else "before its first step"


class Journal:
    """The open journal of one running operation.

    Only `begin` and `announce` raise when the disk refuses: an operation that is under way has to
    be followed up or undone all the same. `trouble` says what could not be written, '' if all was.
    """

    def __init__(self, path: Path, handle: TextIO) -> None:
        self.path = path
        self.trouble = ""
        self._handle = handle

    @classmethod
    def begin(cls, state_dir: Path, plan: Plan, *, who: str, server: str, now: float) -> Journal:
        """Create the file and write the intent. Raises OSError when the disk refuses."""
        folder = private_folder(state_dir, "journal")
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
        what = re.sub(r"[^\w.-]+", "_", f"{plan.operation}-{plan.target.name}")[:_LONGEST_NAME]
        path = folder / f"{stamp}-{what}-{secrets.token_hex(4)}.jsonl"
        descriptor = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        journal = cls(path, os.fdopen(descriptor, "w", encoding="utf-8"))
        try:
            journal._write("intent", **_intent(plan, who, server, now))
            _sync_folder(folder)
        except OSError:
            journal.close()
            path.unlink()  # nothing was begun: nobody shall look for what it left
            raise
        return journal

    def announce(self, event: StepEvent) -> None:
        """Write that a step begins. Raises OSError: what cannot be announced must not be begun."""
        self._write("step", **_step(event))

    def step(self, event: StepEvent) -> None:
        """Write that a step begins or how it ended."""
        self._try("step", **_step(event))

    def shell_commands(self, step: str, line: str) -> None:
        """Write the line for a shell that does what this step does now."""
        self._try("by-hand", step=step, line=line)

    def remember(self, key: str, value: Any) -> None:
        """Keep a fact that is needed to finish or to undo (JSON data)."""
        self._try("fact", key=key, value=value)

    def undone(self, what: str, result: str) -> None:
        """Write that an undo action was carried out, with its read-back."""
        self._try("undo", what=what, result=result)

    def undo_failed(self, what: str, why: str) -> None:
        """Write that an undo action failed: the operation then stays unfinished."""
        self._try("undo-failed", what=what, why=why)

    def end(self, outcome: Outcome, at: float) -> None:
        """Write the outcome and let the file go."""
        self._try(
            "outcome",
            ended=outcome.kind.value,
            reason=outcome.reason,
            safe=outcome.safe,
            advice=outcome.advice,
            at=at,
        )
        self.close()

    def close(self) -> None:
        """Let the file go without an outcome: it is then found as unfinished."""
        if not self._handle.closed:
            try:
                self._handle.close()
            except OSError as error:  # it is closed all the same
                self._troubled(error)

    def _try(self, kind: str, **data: Any) -> None:
        try:
            self._write(kind, **data)
        except OSError as error:
            self._troubled(error)

    def _troubled(self, error: OSError) -> None:
        self.trouble = str(error)
        _log.warning("the journal %s cannot be written: %s", self.path, error)

    def _write(self, kind: str, **data: Any) -> None:
        text = json.dumps({"kind": kind, **data}, sort_keys=True, ensure_ascii=False)
        body = text.encode(errors="backslashreplace")  # names of files need not be UTF-8
        self._handle.write(f"{zlib.crc32(body):08x} {body.decode()}\n")
        self._handle.flush()
        os.fsync(self._handle.fileno())


def read(path: Path) -> Record | None:
    """Read one journal file; None when not even its intent can be read.

    Lines after the first one with a wrong checksum are not believed.
    """
    data = path.read_bytes()
    entries, length = _believed(data)
    if not entries or entries[0].get("kind") != "intent":
        return None
    return _fold(path, entries, torn=length < len(data))


def unfinished(state_dir: Path) -> list[Record]:
    """Operations without an outcome whose process is gone, oldest first."""
    found: list[Record] = []
    for path in sorted((state_dir / "journal").glob("*.jsonl")):
        if _alive(path):
            continue
        record = read(path)
        if record is not None and record.outcome is None:
            found.append(record)
    return found


def close_unfinished(record: Record, outcome: Outcome, at: float) -> None:
    """Write the outcome of an operation whose process is gone, after the world was looked at.

    Raises OSError when that could not be written: it stays unfinished.
    """
    reopened = _reopened(record)
    reopened.end(outcome, at)
    if reopened.trouble:
        raise OSError(reopened.trouble)


def remember_later(record: Record, key: str, value: Any) -> None:
    """Add a fact to the journal of an operation whose process is gone; it stays unfinished.

    If it cannot be written, it is found out once more another time.
    """
    try:
        reopened = _reopened(record)
    except OSError as error:
        _log.warning("the journal %s cannot be written: %s", record.path, error)
        return
    reopened.remember(key, value)
    reopened.close()


def _reopened(record: Record) -> Journal:
    with os.fdopen(open_private(record.path, os.O_RDWR), "r+b") as handle:
        _, length = _believed(handle.read())
        # A torn line would hide what comes after it.
        handle.truncate(length)
    descriptor = open_private(record.path, os.O_WRONLY | os.O_APPEND)
    return Journal(record.path, os.fdopen(descriptor, "a", encoding="utf-8"))


def _intent(plan: Plan, who: str, server: str, now: float) -> dict[str, Any]:
    target = plan.target
    return {
        "operation": plan.operation.value,
        "namespace": target.namespace,
        "name": target.name,
        "uid": target.uid,
        "who": who,
        "server": server,
        "at": now,
        "steps": [[step.id, step.title, step.command] for step in plan.steps],
        "preview": list(plan.preview),
    }


def _step(event: StepEvent) -> dict[str, Any]:
    return {
        "step": event.step,
        "state": event.state.value,
        "at": event.at,
        "text": event.line,
    }


def _fold(path: Path, entries: list[dict[str, Any]], torn: bool) -> Record:
    intent = entries[0]
    steps = _of(entries, "step")
    outcomes = _of(entries, "outcome")
    commands: dict[str, tuple[str, ...]] = {}
    for entry in _of(entries, "by-hand"):
        commands[entry["step"]] = (*commands.get(entry["step"], ()), entry["line"])
    return Record(
        path=path,
        operation=intent["operation"],
        target=ClusterRef(intent["namespace"], intent["name"], intent["uid"]),
        who=intent["who"],
        server=intent["server"],
        began=intent["at"],
        titles={step: title for step, title, _ in intent.get("steps", ())},
        steps={entry["step"]: entry["state"] for entry in steps},
        facts={entry["key"]: entry["value"] for entry in _of(entries, "fact")},
        undone=tuple(entry["what"] for entry in _of(entries, "undo")),
        left=tuple(entry["what"] for entry in _of(entries, "undo-failed")),
        outcome=outcomes[-1] if outcomes else None,
        torn=torn,
        commands=commands,
        read_backs={entry["step"]: entry["text"] for entry in steps},
    )


def _of(entries: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [entry for entry in entries[1:] if entry["kind"] == kind]


def _believed(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """The entries up to the first torn or damaged line, and their length in bytes."""
    entries: list[dict[str, Any]] = []
    length = 0
    for line in data.splitlines(keepends=True):
        entry = _parse(line[:-1]) if line.endswith(b"\n") else None
        if entry is None:
            break
        entries.append(entry)
        length += len(line)
    return entries, length


def _parse(line: bytes) -> dict[str, Any] | None:
    checksum, _, body = line.partition(b" ")
    if f"{zlib.crc32(body):08x}".encode() != checksum:
        return None
    try:
        entry = json.loads(body)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _alive(path: Path) -> bool:
    with path.open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
