"""What screens share of words: states of queues, steps and outcomes, and why a key is grey."""

from __future__ import annotations

from typing import Final

from fluxstate_tui.formatting import Word
from fluxstate_tui.live.summary import QueueStatus, Summary
from fluxstate_tui.operations.base import OutcomeKind, StepState
from fluxstate_tui.tui.widgets.words import DELETED, PHASES

QUEUES = {
    QueueStatus.STARTED: Word("▶", "started", "ok"),
    QueueStatus.STOPPED: Word("‖", "stopped", "warn"),
    QueueStatus.MIXED: Word("◐", "mixed", "warn"),
}


def state_word(summary: Summary) -> Word:
    """The phase, or that only its last picture is left."""
    return DELETED if summary.deleted else PHASES[summary.phase]


# Keys that are grey.

NONE_CHOSEN = "No MiniCluster is chosen."
LOST = "What you had chosen is not in the list any more: ↑ or ↓ chooses another."

READ_ONLY = "Read-only: it was asked for, or the context is protected (see --write)."


# Steps and outcomes.

STEPS: Final[dict[StepState, Word]] = {
    StepState.PENDING: Word("○", "pending", "off"),
    StepState.RUNNING: Word("▶", "running", "busy"),
    StepState.DONE: Word("✓", "done", "ok"),
    StepState.SKIPPED: Word("–", "skipped", "off"),
    StepState.FAILED: Word("✗", "failed", "bad"),
    StepState.UNKNOWN: Word("?", "unknown", "warn"),
}


OUTCOMES: Final[dict[OutcomeKind, Word]] = {
    OutcomeKind.COMPLETED: Word("✓", "Completed", "ok"),
    OutcomeKind.PARTIALLY_FAILED: Word("▲", "PartiallyFailed", "warn"),
    OutcomeKind.FAILED: Word("✗", "Failed", "bad"),
    OutcomeKind.CANCELLED: Word("⊘", "Cancelled", "warn"),
    OutcomeKind.UNKNOWN: Word("?", "Unknown", "warn"),
}
