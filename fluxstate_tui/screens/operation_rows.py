"""An operation in lines of text: the preview, the steps, the outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.operations.plan import Outcome, OutcomeKind, Plan, Step, StepEvent, StepState
from fluxstate_tui.widgets.line import Part
from fluxstate_tui.widgets.tones import color
from fluxstate_tui.widgets.words import Word

STEPS: Final[dict[StepState, Word]] = {
    StepState.PENDING: Word("○", "pending", "off"),
    StepState.RUNNING: Word("▶", "running", "busy"),
    StepState.DONE: Word("✓", "done", "ok"),
    StepState.SKIPPED: Word("–", "skipped", "off"),
    StepState.FAILED: Word("✗", "failed", "bad"),
    StepState.UNKNOWN: Word("?", "unknown", "warn"),
}
_CANCELLED: Final = Word("⊘", "cancelled", "warn")
OUTCOMES: Final[dict[OutcomeKind, Word]] = {
    OutcomeKind.COMPLETED: Word("✓", "Completed", "ok"),
    OutcomeKind.PARTIALLY_FAILED: Word("▲", "PartiallyFailed", "warn"),
    OutcomeKind.FAILED: Word("✗", "Failed", "bad"),
    OutcomeKind.CANCELLED: Word("⊘", "Cancelled", "warn"),
    OutcomeKind.UNKNOWN: Word("?", "Unknown", "warn"),
}


def preview_rows(plan: Plan) -> list[list[Part]]:
    """What will happen and what is lost, under the name of the operation."""
    title: list[Part] = [
        (plan.operation, "$accent bold"),
        (" ", ""),
        (str(plan.target), "$foreground bold"),
    ]
    return [title, *([("  ", ""), (line, "")] for line in plan.preview)]


def step_rows(plan: Plan, said: Mapping[str, StepEvent]) -> list[list[Part]]:
    """Each step with its state, the equivalent command, and what was read back."""
    rows: list[list[Part]] = []
    for step in plan.steps:
        event = said.get(step.id)
        state = event.state if event is not None else StepState.PENDING
        word = _CANCELLED if event is not None and _was_cancelled(event) else STEPS[state]
        weight = "$muted" if state is StepState.PENDING else "$foreground bold"
        rows.append([(f"{word.glyph} ", color(word.tone)), (step.title, weight)])
        if state not in (StepState.PENDING, StepState.DONE):
            rows[-1].append((f"  {word.word}", color(word.tone)))
        if _shows_command(step, state):
            rows.append([("    $ ", "$muted"), (step.command, "$muted")])
        if event is not None and _shows_read_back(event):
            rows.append([("    ↳ ", color(word.tone)), (event.read_back, "")])
    return rows


def running_line(plan: Plan, said: Mapping[str, StepEvent]) -> int | None:
    """In which line of `step_rows` (under their title) the running step is, None if none runs."""
    before = 1
    for step in plan.steps:
        event = said.get(step.id)
        if event is not None and event.state is StepState.RUNNING:
            return before
        state = event.state if event is not None else StepState.PENDING
        before += 1 + _shows_command(step, state)
        before += event is not None and _shows_read_back(event)
    return None


def _shows_command(step: Step, state: StepState) -> bool:
    """What was skipped is no command that ran or will run."""
    return bool(step.command) and state is not StepState.SKIPPED


def _shows_read_back(event: StepEvent) -> bool:
    return bool(event.read_back) and not _was_cancelled(event)


def _was_cancelled(event: StepEvent) -> bool:
    """The user stopped it there: that is no failure of the step."""
    return event.state is StepState.FAILED and event.read_back == "cancelled"


def end_rows(outcome: Outcome | None, put_back: Sequence[str], undoing: bool) -> list[list[Part]]:
    """The outcome, or that it is on its way there; and what was put back."""
    rows: list[list[Part]] = []
    if outcome is not None:
        rows = outcome_rows(outcome)
    elif undoing:
        rows = [[("▶ What was done is being put back …", "$state-busy")]]
    return rows + [[("  back  ", "$accent"), (text, "")] for text in put_back]


def outcome_rows(outcome: Outcome) -> list[list[Part]]:
    """What happened, what is safe, what to do."""
    word = OUTCOMES[outcome.kind]
    rows: list[list[Part]] = [
        [(str(word), f"{color(word.tone)} bold"), ("  ", ""), (outcome.reason, "")]
    ]
    if outcome.safe:
        rows.append([("  safe  ", "$state-ok"), (outcome.safe, "")])
    if outcome.advice:
        rows.append([("  do    ", "$accent"), (outcome.advice, "")])
    return rows


def error_rows(kind: str, error: FluxstateError) -> list[list[Part]]:
    """Why there is no plan at all."""
    rows: list[list[Part]] = [
        [(f"✗ {kind} is not possible  ", "$state-bad bold"), (error.message, "")]
    ]
    if error.safe:
        rows.append([("  safe  ", "$state-ok"), (error.safe, "")])
    if error.advice:
        rows.append([("  do    ", "$accent"), (error.advice, "")])
    return rows
