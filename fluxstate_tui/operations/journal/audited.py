"""From the journal of an operation that ended to a line of the audit log."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from fluxstate_tui.operations.journal import audit, journal
from fluxstate_tui.operations.journal.journal import Record
from fluxstate_tui.operations.plan import Outcome

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
