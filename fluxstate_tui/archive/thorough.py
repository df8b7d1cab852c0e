"""The thorough pass over jobs' output and execution logs: they must be eventlogs (RFC 18)."""

from __future__ import annotations

from fluxstate_tui.archive.findings import Findings, Kind
from fluxstate_tui.model import eventlog as eventlogs


def check_value(name: str, data: bytes, findings: Findings) -> None:
    """Note a finding when an eventlog of a job's tasks cannot be read."""
    try:
        eventlogs.parse(data)
    except ValueError as error:
        findings.add(Kind.DAMAGED, name, f"not an eventlog ({error})")
