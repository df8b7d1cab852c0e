"""What has to be written for an action on jobs, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from fluxstate_tui.model.duration import parse_duration
from fluxstate_tui.screens.job_requests import JobRequest, JobVerb

_TYPE = re.compile(r"[A-Za-z0-9_.-]+")
MAX_URGENCY = 31
MAX_SEVERITY = 7


class MistakeError(ValueError):
    """A field cannot be read; the message says which and why."""


Field = tuple[str, str, str, str]
"""Id, label, what stands there at first, a hint."""

FIELDS: Final[Mapping[JobVerb, tuple[Field, ...]]] = {
    "cancel": (("note", "note", "", "why, for its eventlog"),),
    "raise": (
        ("type", "type", "", "a word, e.g. attention"),
        ("severity", "severity", "0", "0 ends it, 1-7 only note"),
        ("note", "note", "", "why, for its eventlog"),
    ),
    "urgency": (("urgency", "urgency", "16", "0 (held) to 31"),),
    "limit": (("limit", "limit", "", "90s 10m 1.5h; 0 = none"),),
}


def read_request(verb: JobVerb, written: Mapping[str, str]) -> JobRequest:
    """The request that these fields mean. Raises MistakeError."""
    text = {name: value.strip() for name, value in written.items()}
    if verb == "raise" and not _TYPE.fullmatch(text["type"]):
        raise MistakeError("Write the type of the exception, one word.")
    return JobRequest(
        verb,
        type=text.get("type", ""),
        severity=_number(text.get("severity", "0"), "severity", MAX_SEVERITY),
        note=text.get("note", ""),
        urgency=_number(text.get("urgency", "16"), "urgency", MAX_URGENCY),
        limit=_seconds(text["limit"]) if verb == "limit" else 0.0,
    )


def _number(text: str, name: str, most: int) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > most:
        raise MistakeError(f"{name} is a number from 0 to {most}.")
    return int(text)


def _seconds(text: str) -> float:
    if not text:
        raise MistakeError("Write how long the job may run, for example 30m.")
    try:
        return parse_duration(text)
    except ValueError as error:
        raise MistakeError(str(error)) from error
