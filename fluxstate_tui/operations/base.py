"""What an operation is going to do, as plain data: screens show it, the runner executes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

from fluxstate_tui.minicluster.minicluster import ClusterRef


class OperationKind(StrEnum):
    """What can be done, by the words of commands, journals and logs.

    An operation is declared in operations/registry.py, a change of a catalog in
    operations/archives.py.
    """

    SAVE = "save"
    PAUSE = "pause"
    RESUME = "resume"
    DELETE = "delete"
    RESTORE = "restore"
    MIGRATE = "migrate"
    DISARM = "disarm"
    ARCHIVES_REMOVE = "archives remove"
    ARCHIVES_PRUNE = "archives prune"
    ARCHIVES_ADOPT = "archives adopt"
    ARCHIVES_PUT = "archives put"
    ASSETS_SAVE = "assets save"
    ASSETS_RESTORE = "assets restore"

    @classmethod
    def of(cls, word: str) -> OperationKind | None:
        """The kind of that word, None if there is none: another version wrote it."""
        return next((kind for kind in cls if kind.value == word), None)


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


class News(Enum):
    """What a StepEvent tells: how its step stands, that the user stopped it, what was put back."""

    STEP = "step"
    CANCELLED = "cancelled"
    PUT_BACK = "put back"


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

    operation: OperationKind
    target: ClusterRef
    steps: tuple[Step, ...]
    preview: tuple[str, ...]
    consent: Consent
    arrival: Arrival | None = None


@dataclass(frozen=True, slots=True)
class StepEvent:
    """Progress of one step. `read_back` is what was read from the cluster, not what was asked.

    Of what was put back it is told at the step that failed. `seconds` is how long the step took,
    None before it has ended.
    """

    step: str
    state: StepState
    at: float
    read_back: str = ""
    news: News = News.STEP
    seconds: float | None = None

    @property
    def line(self) -> str:
        """What it says where nothing else shows which news it is."""
        if self.news is News.CANCELLED:
            return News.CANCELLED.value
        undone = self.news is News.PUT_BACK
        return f"{News.PUT_BACK.value}: {self.read_back}" if undone else self.read_back


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """What an operation that was cut off left, and the one that puts it right (None: nothing)."""

    says: str
    next: OperationKind | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an operation: what happened, what is safe, what to do, and the exit code."""

    kind: OutcomeKind
    reason: str
    safe: str = ""
    advice: str = ""
    exit_code: int = 0


# What a user may decide before an operation: plain data, filled by a dialog or by flags.


class Running(Enum):
    """What to do with jobs that run when the queue is saved.

    A job that runs at the time of the dump comes back FAILED
    (ARCHITECTURE.md#F6), so waiting is the default.
    """

    WAIT = "wait until they are done"
    WAIT_AT_MOST = "wait for a time, then stop"
    CANCEL = "cancel them"
    LEAVE = "go on; they come back FAILED"


@dataclass(frozen=True, slots=True)
class Choices:
    """Everything that can be chosen. Each operation reads only what concerns it.

    `wait_seconds` belongs to `Running.WAIT_AT_MOST`; `archive` is an id of the catalog or a
    path on the volume; `from_file` is an archive of this computer, to be brought there first;
    `size` is the number of pods to restore to; `manifest` is a whole MiniCluster object to create
    (a file, or, with `manifest_was_seen`, the object as the API server sent it last);
    `start_timeout` is how long a restored MiniCluster may take until its broker runs, in
    seconds; `to_name`, `to_namespace` and `image` are what a migration changes ('' = as it is);
    `to_context` is a context of the kubeconfig; `start_helper_pod` agrees to a helper pod
    before there is a plan, to read the archives; `accept_spec` wants the MiniCluster of the
    archive's manifest although another one is known; a `dry_run` looks without any helper pod,
    and its plan cannot be carried out.
    """

    running: Running = Running.WAIT
    wait_seconds: float | None = None
    keep_paused: bool = False
    restore_paused: bool = False
    save_first: bool = False
    archive: str = ""
    from_file: Path | None = None
    size: int | None = None
    manifest: dict[str, Any] | None = None
    manifest_was_seen: bool = False
    start_timeout: float = 600.0
    to_name: str = ""
    to_namespace: str = ""
    to_context: str = ""
    image: str = ""
    start_helper_pod: bool = False
    accept_spec: bool = False
    dry_run: bool = False
