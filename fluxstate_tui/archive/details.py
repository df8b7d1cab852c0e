"""Everything about one job that is not kept in memory: read again from the archive when asked."""

from __future__ import annotations

import base64
import binascii
import json
from array import array
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fluxstate_tui.archive import names
from fluxstate_tui.archive.container import Members
from fluxstate_tui.archive.findings import BrokenArchiveError
from fluxstate_tui.flux import eventlog as eventlogs
from fluxstate_tui.flux.eventlog import Event

_CACHED_JOBS = 8


@dataclass(frozen=True, slots=True)
class OutputChunk:
    """One piece of a job's output. `stream` is stdout or stderr; `rank` is a task or `0-3`.

    `redirected` is the path of a file where the output went; it is not in the archive then.
    """

    timestamp: float
    stream: str
    rank: str
    text: str
    redirected: str = ""

    @property
    def shown(self) -> str:
        """The text, or where it is. Not made harmless for a terminal."""
        if not self.redirected:
            return self.text
        return f"[{self.stream} of {self.rank} went to {self.redirected}]\n"


class DetailReader:
    """Finds a job's files again. A run is a stretch of members that belong to one job."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._ids = array("Q")
        self._offsets = array("Q")
        self._cache: OrderedDict[int, dict[str, bytes]] = OrderedDict()

    def add_run(self, job_id: int, offset: int) -> None:
        """A stretch of this job's members begins there."""
        self._ids.append(job_id)
        self._offsets.append(offset)

    def ids(self) -> Iterable[int]:
        """The ids of all stretches, each as often as it has some."""
        return self._ids

    def files(self, job_id: int) -> dict[str, bytes]:
        """The job's files by their name below its directory; the signed jobspec is never read."""
        if job_id in self._cache:
            self._cache.move_to_end(job_id)
            return self._cache[job_id]
        found: dict[str, bytes] = {}
        at = 0
        while True:
            try:
                at = self._ids.index(job_id, at)
            except ValueError:
                break
            self._read_run(job_id, self._offsets[at], found)
            at += 1
        self._cache[job_id] = found
        if len(self._cache) > _CACHED_JOBS:
            self._cache.popitem(last=False)
        return found

    def _read_run(self, job_id: int, offset: int, found: dict[str, bytes]) -> None:
        try:
            for member in self._members.again(offset, names.everything_but_secrets):
                if names.job_id(member.folder) != job_id:
                    return
                if member.data is not None:
                    found[member.file] = member.data
        except BrokenArchiveError:
            return


def events(data: bytes | None) -> tuple[Event, ...]:
    """The entries of an eventlog that can be read; broken lines are left out."""
    found = []
    for line in (data or b"").splitlines():
        try:
            found.append(eventlogs.parse_line(line))
        except ValueError:
            continue
    return tuple(found)


def decoded(data: bytes | None) -> dict[str, Any] | None:
    """A JSON object, or None when there is none."""
    if data is None:
        return None
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def without_environment(jobspec: dict[str, Any]) -> dict[str, Any]:
    """Users' environments are never kept. Flux drops them itself, since 0.30 or so."""
    attributes = jobspec.get("attributes")
    system = attributes.get("system") if isinstance(attributes, dict) else None
    if isinstance(system, dict):
        system.pop("environment", None)
    return jobspec


def output(data: bytes | None) -> list[OutputChunk]:
    """The pieces of `guest/output` (RFC 24) in order, without those that only mark an end."""
    chunks = []
    for event in events(data):
        context = event.context
        stream, rank = str(context.get("stream", "")), str(context.get("rank", ""))
        if event.name == "redirect":
            path = str(context.get("path", ""))
            chunks.append(OutputChunk(event.timestamp, stream, rank, "", redirected=path))
        elif event.name == "data" and isinstance(context.get("data"), str):
            text = _text(context["data"], context.get("encoding"))
            chunks.append(OutputChunk(event.timestamp, stream, rank, text))
    return chunks


def _text(data: str, encoding: object) -> str:
    if encoding != "base64":
        return data
    try:
        return base64.b64decode(data, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return data
