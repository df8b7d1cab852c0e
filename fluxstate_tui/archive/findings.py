"""What is wrong with an archive: a kind, the place, and one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fluxstate_tui.errors import ExitCode, FluxstateError
from fluxstate_tui.flux.loader import Effect, Refusal


class Kind(Enum):
    """The verdict on an archive. Findings use the bad ones; the worst finding decides."""

    COMPLETE = "complete"
    EMPTY = "empty"
    ZERO_BYTES = "zero-bytes"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    NOT_AN_ARCHIVE = "not-an-archive"
    HOSTILE = "hostile"

    @property
    def good(self) -> bool:
        """Nothing is wrong with it."""
        return self in (Kind.COMPLETE, Kind.EMPTY)


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem. `place` is a member's name, a job and line, or a byte offset.

    `effect` is what Flux's loader makes of it, None when it does not mind.
    """

    kind: Kind
    place: str
    message: str
    effect: Effect | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class BrokenArchiveError(FluxstateError):
    """The bytes cannot be read any further as an archive."""

    exit_code = ExitCode.VERIFICATION

    def __init__(self, kind: Kind, place: str, message: str) -> None:
        super().__init__(
            f"{place}: {message}" if place else message,
            safe="The file was only read.",
            advice="Use another version of this archive; Flux cannot restore this one.",
        )
        self.finding = Finding(kind, place, message)


class Findings:
    """Collects findings: the first hundred are kept, so memory is bounded; `total` counts all."""

    KEPT = 100

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        self._counts: dict[tuple[Kind, Effect | None], int] = {}
        self.total = 0

    def add(self, kind: Kind, place: str, message: str) -> None:
        """Note one problem."""
        self.note(Finding(kind, place, message))

    def refuse(self, owner: str, refusal: Refusal) -> None:
        """Note what Flux's loader would not take; `owner` is the job or the member."""
        place = f"{owner}, {refusal.place}" if refusal.place else owner
        message = f"{refusal.reason}; {refusal.effect.value}"
        self.note(Finding(Kind.DAMAGED, place, message, refusal.effect))

    def note(self, finding: Finding) -> None:
        """Note one problem that exists already."""
        kind = (finding.kind, finding.effect)
        known = self._counts.get(kind, 0)
        self._counts[kind] = known + 1
        self.total += 1
        if len(self._kept) < self.KEPT or known == 0:
            self._kept.append(finding)

    def all(self) -> tuple[Finding, ...]:
        """What was kept, with one last line for what was not."""
        missing = self.total - len(self._kept)
        if missing <= 0:
            return tuple(self._kept)
        more = Finding(self._kept[0].kind, "", f"and {missing} more problems like these")
        return (*self._kept, more)
