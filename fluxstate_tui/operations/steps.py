"""What an operation is made of: tasks, what they may use while they run, and their undo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.operations.base import Step
from fluxstate_tui.operations.journal import Journal

Action = Callable[["Run"], Awaitable[str]]


class RefusedError(FluxstateError):
    """A safety rule says no."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True, slots=True)
class Task:
    """A step and what it does. The action returns the read-back; it raises when it failed.

    When a step that is not `required` fails, the operation goes on and ends PartiallyFailed. One
    that is not done `alone` also goes on without the lock: what was begun has to be followed up.
    """

    step: Step
    action: Action
    required: bool = True
    alone: bool = True


@dataclass(eq=False, slots=True)
class Undo:
    """How something that was done is put back. `by_hand` is the advice when that fails too."""

    what: str
    action: Callable[[], Awaitable[str]]
    shell_commands: str


@dataclass(slots=True)
class Run:
    """What a step may use while it runs."""

    journal: Journal
    tell: Callable[[str], None] = lambda text: None
    correct: Callable[[str, str], None] = lambda step, read_back: None
    """An earlier step was done again: what it reads back now."""
    problems: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    undos: list[Undo] = field(default_factory=list)
    step: str = ""

    def undo(self, what: str, action: Callable[[], Awaitable[str]], shell_commands: str) -> Undo:
        """Register how to put back what is about to be done."""
        entry = Undo(what, action, shell_commands)
        self.undos.append(entry)
        return entry

    def discard(self, undo: Undo) -> None:
        """That undo is not needed any more."""
        if undo in self.undos:
            self.undos.remove(undo)

    async def roll_back(self, why: BaseException) -> None:
        """Carry out all undos, the last one first; one that fails keeps none from being tried.

        For a part of an operation that failed of `why`, whose advice says what is left to do.
        """
        for undo in reversed(self.undos):
            try:
                self.journal.undone(undo.what, await undo.action())
            except Exception as error:
                self.journal.undo_failed(undo.what, str(error) or type(error).__name__)
                if isinstance(why, FluxstateError):
                    why.advice = f"{why.advice} {undo.shell_commands}".strip()
        self.undos.clear()

    def remember(self, key: str, value: Any) -> None:
        """Keep a fact in the journal."""
        self.journal.remember(key, value)

    def shell_commands(self, *lines: str) -> None:
        """What is done now, as lines for a shell."""
        for line in lines:
            self.journal.shell_commands(self.step, line)

    def problem(self, text: str, advice: str = "") -> None:
        """Something went wrong that does not stop the operation: it ends PartiallyFailed."""
        self.problems.append(text)
        self.advice.append(advice)


@dataclass(slots=True)
class Script:
    """What an operation consists of, apart from its plan.

    `success` makes the sentence of a completed outcome; `safe` tells what no failure can touch;
    `close` gives back what prepare() took (sessions, helper pods). `too_late` says that there is
    nothing to go back to: a cancel does nothing any more, for what is left are the steps that an
    undo would be.
    """

    tasks: list[Task]
    success: Callable[[], str]
    safe: str = ""
    advice: str = ""
    close: Callable[[], Awaitable[None]] | None = None
    too_late: bool = False
