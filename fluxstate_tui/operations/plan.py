"""What an operation is going to do, as plain data: screens show it, the runner executes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fluxstate_tui.model.reference import ClusterRef


class ConsentKind(Enum):
    """How much it takes to say yes: sized by what would be lost."""

    NONE = "none"
    CONFIRM = "confirm"
    TYPE_NAME = "type the name"


class Agrees(Enum):
    """What the user agrees to by typing the name."""

    LOSS = "loss"
    SPEC = "spec"


class StepState(Enum):
    """Where one step stands."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNKNOWN = "unknown"


class OutcomeKind(Enum):
    """How an operation ended. UNKNOWN is never shown as success."""

    COMPLETED = "Completed"
    PARTIALLY_FAILED = "PartiallyFailed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Consent:
    """What the user must do before anything happens. `word` is what to type for TYPE_NAME.

    `loses` is how many jobs would be lost, None when that is not known. `agrees` says what typing
    the word agrees to.
    """

    kind: ConsentKind
    question: str
    word: str = ""
    loses: int | None = 0
    agrees: Agrees = Agrees.LOSS


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `command` is the line with which one would do it by hand."""

    id: str
    title: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """The MiniCluster that a migration creates: its `ref` has no uid yet.

    `beside` says that it lives at the same time as the old one; `place` names another context, ''
    for the same one.
    """

    ref: ClusterRef
    size: int
    beside: bool
    image: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole operation. `preview` says in plain lines what will happen and what is lost.

    `arrival` is where a migration goes to.
    """

    operation: str
    target: ClusterRef
    steps: tuple[Step, ...]
    preview: tuple[str, ...]
    consent: Consent
    arrival: Arrival | None = None


@dataclass(frozen=True, slots=True)
class StepEvent:
    """Progress of one step. `read_back` is what was read from the cluster, not what was asked."""

    step: str
    state: StepState
    at: float
    read_back: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an operation: what happened, what is safe, what to do, and the exit code."""

    kind: OutcomeKind
    reason: str
    safe: str = ""
    advice: str = ""
    exit_code: int = 0
