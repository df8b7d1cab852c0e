"""Eventlogs as text: one JSON object per line (RFC 18)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

# Eventlog entries (RFC 18), the only source of truth about a job.


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an eventlog: seconds since the epoch, a name, and the event's context."""

    timestamp: float
    name: str
    context: dict[str, Any] = field(default_factory=dict)


# Times outside are no times: 1e11 seconds is the year 5138.
MAX_TIMESTAMP = 1e11


def parse_line(line: bytes | str) -> Event:
    """One entry. Raises ValueError for bad JSON, bad UTF-8, or an entry that RFC 18 forbids."""
    try:
        entry = json.loads(line)
    except RecursionError:
        raise ValueError("eventlog entry is nested too deep") from None
    return event_from_json(entry)


def event_from_json(entry: object) -> Event:
    """An Event of a decoded entry. Raises ValueError when RFC 18 forbids it."""
    if not isinstance(entry, dict):
        raise ValueError("eventlog entry is not an object")
    timestamp, name, context = entry.get("timestamp"), entry.get("name"), entry.get("context")
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | float):
        raise ValueError("eventlog entry has no timestamp")
    if not 0 <= timestamp < MAX_TIMESTAMP:
        raise ValueError("eventlog entry has a timestamp out of range")
    if not isinstance(name, str) or not name:
        raise ValueError("eventlog entry has no name")
    if context is not None and not isinstance(context, dict):
        raise ValueError("eventlog entry has a context that is not an object")
    return Event(float(timestamp), name, context or {})


def parse(data: bytes) -> list[Event]:
    """A whole eventlog. Raises ValueError that names the line (from 1)."""
    events = []
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            events.append(parse_line(line))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
    return events


def encode_line(event: Event) -> bytes:
    """One line as flux-core writes it: no spaces, no context when it is empty."""
    entry: dict[str, object] = {"timestamp": event.timestamp, "name": event.name}
    if event.context:
        entry["context"] = event.context
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def encode(events: Iterable[Event]) -> bytes:
    """An eventlog as flux-core stores it in the KVS."""
    return b"".join(map(encode_line, events))
