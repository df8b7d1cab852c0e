"""Changes of a catalog in the journal: one step per archive, and what to do if it was cut off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fluxstate_tui.clock import Clock
from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.minicluster.minicluster import ClusterRef
from fluxstate_tui.operations.audit import audited
from fluxstate_tui.operations.base import (
    Consent,
    ConsentKind,
    OperationKind,
    Outcome,
    OutcomeKind,
    Plan,
    StepEvent,
    StepState,
)
from fluxstate_tui.operations.journal import Journal, Record

CATALOG_CHANGES = frozenset(
    {
        OperationKind.ARCHIVES_REMOVE,
        OperationKind.ARCHIVES_PRUNE,
        OperationKind.ARCHIVES_ADOPT,
        OperationKind.ARCHIVES_PUT,
        OperationKind.ASSETS_SAVE,
        OperationKind.ASSETS_RESTORE,
    }
)
_REMOVALS = (OperationKind.ARCHIVES_REMOVE, OperationKind.ARCHIVES_PRUNE)
_UNCLEAR = (ExitCode.UNKNOWN, ExitCode.NO_CONNECTION)


@dataclass(frozen=True, slots=True)
class AuditContext:
    """Where it is written, who does it, and whose catalog it is (`server` '' for a folder)."""

    state_dir: Path
    clock: Clock
    who: str
    server: str
    ref: ClusterRef


class Change:
    """A change of several archives that is under way. `trouble` is what could not be written."""

    def __init__(self, audit_context: AuditContext, journal: Journal) -> None:
        self._books, self._journal = audit_context, journal
        self._in_hand = ""
        self._done: list[str] = []
        self.trouble = ""

    @contextmanager
    def of(self, archive: str, command: str) -> Iterator[list[str]]:
        """Around what is done to one archive; `command` does it by hand.

        What is put into the list is its read-back. Raises OSError when it cannot be announced.
        """
        read_back: list[str] = []
        self._journal.announce(self._event(archive, StepState.RUNNING))
        self._journal.shell_commands(archive, command)
        self._in_hand = archive
        yield read_back
        text = " ".join(read_back)
        self._journal.step(self._event(archive, StepState.DONE, text))
        self._done.append(f"{archive} {text}".strip())
        self._in_hand = ""

    def end(self, error: BaseException | None) -> None:
        """Write the outcome; none when it was cut off in the middle of an archive."""
        now, outcome = self._books.clock.now(), self._outcome(error)
        clear = isinstance(error, FluxstateError) and error.exit_code not in _UNCLEAR
        if error is None or clear or not self._in_hand:
            self._journal.end(outcome, now)
        self._journal.close()
        if error is None or self._done or not _is_refusal(error):
            outcome = audited(self._books.state_dir, self._journal.path, outcome, now)
        self.trouble = " ".join(filter(None, (self._journal.trouble, outcome.advice)))

    def _event(self, archive: str, state: StepState, text: str = "") -> StepEvent:
        return StepEvent(archive, state, self._books.clock.now(), text)

    def _outcome(self, error: BaseException | None) -> Outcome:
        done = ", ".join(self._done) or "nothing"
        if error is None:
            return Outcome(OutcomeKind.COMPLETED, done)
        at = f" at {self._in_hand}" if self._in_hand else ""
        reason = f"done: {done}; then{at}: {error or type(error).__name__}"
        if isinstance(error, FluxstateError):
            unknown = error.exit_code in _UNCLEAR
            kind = OutcomeKind.UNKNOWN if unknown else OutcomeKind.FAILED
            return Outcome(kind, reason, exit_code=error.exit_code)
        kind = OutcomeKind.FAILED if isinstance(error, Exception) else OutcomeKind.CANCELLED
        return Outcome(kind, reason, exit_code=ExitCode.FAILURE)


@contextmanager
def journaled(audit_context: AuditContext, kind: OperationKind) -> Iterator[Change]:
    """A change from its intent to its outcome. Raises FluxstateError if it cannot begin."""
    plan = Plan(kind, audit_context.ref, (), (), Consent(ConsentKind.NONE, ""))
    try:
        now = audit_context.clock.now()
        journal = Journal.begin(
            audit_context.state_dir,
            plan,
            who=audit_context.who,
            server=audit_context.server,
            now=now,
        )
    except OSError as error:
        raise FluxstateError(
            f"the journal cannot be written: {error}",
            safe="Nothing was done.",
            advice=f"Make {audit_context.state_dir} writable, or set FLUXSTATE_STATE_DIR.",
        ) from error
    change = Change(audit_context, journal)
    try:
        yield change
    except BaseException as error:
        change.end(error)
        raise
    change.end(None)


def _is_refusal(error: BaseException) -> bool:
    """Refusals have a line of their own in the audit log, by whoever took the lock."""
    refusals = (ExitCode.REFUSED, ExitCode.LOCKED)
    return isinstance(error, FluxstateError) and error.exit_code in refusals


def is_of_catalog(record: Record) -> bool:
    """Whether that journal is of such a change."""
    return record.kind in CATALOG_CHANGES


def left_over(record: Record) -> str:
    """What an interrupted change may have left, and what to do; it needs no cluster to be said."""
    archive = record.last_step
    if not archive or record.steps[archive] == StepState.DONE.value:
        return "Each archive that was begun was done."
    again = " ".join(record.commands.get(archive, ()))
    if record.kind is OperationKind.ASSETS_SAVE:
        return f"A state is entered as a whole or not at all. List them; if there is none: {again}"
    if record.kind is OperationKind.ASSETS_RESTORE:
        return f"Each file that was restored is whole; others may be missing. Again: {again}"
    if record.kind in _REMOVALS:
        left = f"{archive} may be there still, perhaps without its manifest."
        return f"{left} List the archives; to remove it: {again}"
    left = f"{archive} may lie in the catalog without a manifest."
    return f"{left} List the archives; adopt what has none, or, if there is none: {again}"
