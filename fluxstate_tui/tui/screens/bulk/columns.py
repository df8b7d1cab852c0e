"""One operation on several MiniClusters, from the plan to the outcomes. It goes on when its screen
is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluxstate_tui.formatting import Word, plural
from fluxstate_tui.operations.base import ConsentKind, StepEvent, StepState
from fluxstate_tui.tui.screens.services import PartRun, run_of
from fluxstate_tui.tui.screens.words import OUTCOMES, STEPS
from fluxstate_tui.tui.widgets.grid import Column

if TYPE_CHECKING:
    from fluxstate_tui.operations.base import Plan
    from fluxstate_tui.operations.bulk import Part


"""Each plan opens a session with a broker and reads its queue."""


# A line per MiniCluster: what it is about to do, does, and how it ended.

PLANNED = Word("○", "planned", "off")
LOCKED = Word("!", "locked", "warn")
WAITS = Word("◌", "waits", "wait")
RUNS = STEPS[StepState.RUNNING]
NOT_POSSIBLE = Word("✗", "not possible", "bad")


def part_word(part: Part) -> Word:
    """Where it stands; an outcome is said in its own word."""
    run = run_of(part)
    if part.outcome is not None:
        return OUTCOMES[part.outcome.kind] if run is not None else NOT_POSSIBLE
    if run is None or not run.started:
        return LOCKED if run is not None and run.holder is not None else PLANNED
    return RUNS if run.begun else WAITS


def step_text(part: Part) -> str:
    """`3/9`: how far it is."""
    run = run_of(part)
    if run is None:
        return ""
    steps = run.plan.steps
    done = sum(event.state in (StepState.DONE, StepState.RUNNING) for event in run.steps.values())
    return f"{done}/{len(steps)}" if run.begun else f"{len(steps)}"


def says(part: Part) -> str:
    """What would be lost; then the step with what was read back; then why it ended so."""
    if part.outcome is not None:
        return part.outcome.reason
    run = run_of(part)
    if run is None:
        return ""
    event = _current(run.plan, run.steps)
    if event is None:
        said = [lock_text(run), loss_text(run.plan)]
        if run.plan.consent.kind is ConsentKind.TYPE_NAME:
            said.reverse()  # a loss is not cut off by what is less
        return "; ".join(filter(None, said))
    title = next(step.title for step in run.plan.steps if step.id == event.step)
    return f"{title}: {event.read_back}" if event.read_back else title


def lock_text(run: PartRun) -> str:
    """Who works on it, before it is begun; '' if nobody does."""
    holder = run.holder
    return "" if holder is None or run.started else f"{holder.who} works on it: {holder.what}"


def loss_text(plan: Plan) -> str:
    """What a yes to this one means."""
    consent = plan.consent
    if consent.kind is not ConsentKind.TYPE_NAME:
        return "nothing is lost"
    if consent.loses is None:
        return f"loses an UNKNOWN number of jobs. {consent.question}"
    lost = f"loses {plural(consent.loses, 'job')}" if consent.loses else "LOSES"
    return f"{lost}: {consent.question}"


def says_tone(part: Part) -> str:
    """A loss is not overlooked."""
    run = run_of(part)
    if part.outcome is not None or run is None or run.begun:
        return "plain"
    if run.plan.consent.kind is ConsentKind.TYPE_NAME:
        return "bad"
    return "warn" if lock_text(run) else "plain"


def _current(plan: Plan, said: dict[str, StepEvent]) -> StepEvent | None:
    """The last step that said anything."""
    found = [said[step.id] for step in plan.steps if step.id in said]
    spoke = [event for event in found if event.state is not StepState.SKIPPED]
    return spoke[-1] if spoke else None


COLUMNS: tuple[Column[Part], ...] = (
    Column("name", "NAME", 16, lambda p, _: p.ref.name, tone=lambda _: "strong", flex=1),
    Column("namespace", "NAMESPACE", 10, lambda p, _: p.ref.namespace,
           tone=lambda _: "off", rank=3),
    Column("state", "STATE", 16, lambda p, _: str(part_word(p)),
           tone=lambda p: part_word(p).tone),
    Column("step", "STEP", 5, lambda p, _: step_text(p), "right", lambda _: "off", rank=2),
    Column("says", "WHAT", 30, lambda p, _: says(p), tone=says_tone, flex=6),
)  # fmt: skip
