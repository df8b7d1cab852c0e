"""What a diagnosis says: what is wrong, on which evidence, why, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How bad it is, worst first."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Source(Enum):
    """Where evidence stands."""

    OBJECT = "the MiniCluster"
    JOB = "its Job"
    PODS = "its pods"
    EVENTS = "events"
    CLAIMS = "persistent volume claims"
    QUEUES = "the queues"
    NODES = "the brokers"
    CHECKPOINTS = "Flux's checkpoint period"
    ACCESS = "Flux's private mode"
    ANSWERS = "which brokers answer"
    STATE_DIR = "Flux's state directory"
    PUT_ASIDE = "jobs that Flux put aside"
    JOB_IDS = "the job ids given out"
    LEAD_LOG = "the lead's log"
    WORKER_LOG = "a worker's log"
    OPERATOR_LOG = "the operator's log"
    OPERATOR = "the operator's pods"
    RIGHTS = "the API server's answer to what we may"
    CLOCK = "the API server's clock"


ASKED = frozenset(
    {
        *(Source.QUEUES, Source.NODES, Source.CHECKPOINTS, Source.ACCESS, Source.ANSWERS),
        *(Source.STATE_DIR, Source.PUT_ASIDE, Source.JOB_IDS),
    }
)
"""What the broker says when it is asked."""


@dataclass(frozen=True, slots=True)
class Quote:
    """Text as it was read, from what, and when it was written (epoch seconds) if that is known."""

    text: str
    source: Source
    about: str = ""
    at: float | None = None


class Remedy(Enum):
    """What one key of the dashboard does about it."""

    RESUME = "resume"
    SAVE = "save"
    DISARM = "disarm"


@dataclass(frozen=True, slots=True)
class Told:
    """What a rule says. `line` is a command line to copy."""

    cause: str
    evidence: tuple[Quote, ...]
    fix: str
    remedy: Remedy | None = None
    line: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. Code and slug are stable."""

    code: str
    slug: str
    severity: Severity
    told: Told


@dataclass(frozen=True, slots=True)
class Blind:
    """A rule that could not see its evidence: nothing is claimed, neither good nor bad."""

    code: str
    slug: str
    wanting: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, the likeliest first, and what could not be looked at.

    `silenced` is how many there are besides that the user does not want to be told.
    """

    findings: tuple[Finding, ...]
    blind: tuple[Blind, ...]
    silenced: int = 0

    @property
    def wrong(self) -> bool:
        """Whether there is more than notes."""
        return any(finding.severity is not Severity.NOTE for finding in self.findings)
