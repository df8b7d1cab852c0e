"""From the journal of an operation that ended to a line of the audit log."""

from __future__ import annotations

import logging
import posixpath
import re
from dataclasses import replace
from pathlib import Path

from fluxstate_tui.archive.catalogue import id_of
from fluxstate_tui.operations import audit, journal
from fluxstate_tui.operations.journal import Record
from fluxstate_tui.operations.plan import Outcome, StepState

_log = logging.getLogger(__name__)


def audited(state_dir: Path, path: Path, outcome: Outcome, now: float) -> Outcome:
    """Write how the operation of that journal ended; the outcome, which says so if that failed."""
    try:
        record = journal.read(path)
        if record is not None:
            audit.append(state_dir, entry_of(record, outcome, now))
        return outcome
    except OSError as error:
        # What was done is done, and is in the journal: it must not look as if it had failed.
        _log.warning("the audit log cannot be written: %s", error)
        advice = f"{outcome.advice} The audit log could not be written: {error}.".strip()
        return replace(outcome, advice=advice)


def entry_of(record: Record, outcome: Outcome, now: float) -> audit.Entry:
    """The line for one operation."""
    target = record.target
    return audit.Entry(
        at=now,
        who=record.who,
        what=record.operation,
        namespace=target.namespace,
        name=target.name,
        uid=target.uid,
        server=record.server,
        outcome=outcome.kind.value,
        reason=outcome.reason,
        commands=by_hand(record),
    )


def by_hand(record: Record) -> tuple[str, ...]:
    """The commands of the steps that were begun, with the real names where they are known.

    What is still written in capitals has to be filled in. What a step read back follows as a
    comment: it may say that there was nothing to do.
    """
    known = {"NAME": f"{record.target.name} -n {record.target.namespace}"}
    archive = record.facts.get("archive")
    if isinstance(archive, str):
        known |= {"FOLDER": posixpath.dirname(archive), "ID": id_of(posixpath.basename(archive))}
    steps = [
        step
        for step, state in record.steps.items()
        if state not in (StepState.PENDING.value, StepState.SKIPPED.value)
    ]
    return tuple(
        _filled(record.commands[step], known) + _comment(record.read_backs.get(step, ""))
        for step in steps
        if record.commands.get(step)
    )


def _filled(command: str, known: dict[str, str]) -> str:
    # NAME... stands for names of queues.
    pattern = rf"\b({'|'.join(known)})\b(?!\.\.\.)"
    return re.sub(pattern, lambda found: known[found[1]], command)


def _comment(text: str) -> str:
    # On one line, whatever was read: a comment must not turn into a command.
    return f"  # {' '.join(text.split())}" if text.strip() else ""
