"""Eventlog entries (RFC 18), the only source of truth about a job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an eventlog: seconds since the epoch, a name, and the event's context."""

    timestamp: float
    name: str
    context: dict[str, Any] = field(default_factory=dict)
