"""The archives that real Flux made, Flux's account of them, and small archives made here."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fluxstate_tui.archive.container import Entry
from fluxstate_tui.archive.writer import write_archive
from fluxstate_tui.flux import eventlog
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.jobid import dothex
from fluxstate_tui.flux.resources import Share, make_alloc

FOLDER = Path(__file__).parents[2] / "data" / "archives"
SMALL = ("basic-completion", "pending", "mixed", "running", "empty", "old-0.66")
T0 = 1795296000.0


def path(name: str) -> Path:
    """A given archive."""
    return FOLDER / f"{name}.tar.gz"


@cache
def truth(name: str) -> dict[str, Any]:
    """What Flux itself said about it."""
    with gzip.open(FOLDER / "truth.json.gz") as file:
        found: dict[str, Any] = json.load(file)["archives"][f"{name}.tar.gz"]
        return found


def jobspec(name: str = "job", *, nodes: int | None = None, **system: Any) -> dict[str, Any]:
    """A jobspec of version 1 for one task, or one per node."""
    slot: dict[str, Any] = {"type": "slot", "count": 1, "label": "task"}
    slot["with"] = [{"type": "core", "count": 1}]
    resources = [slot] if nodes is None else [{"type": "node", "count": nodes, "with": [slot]}]
    return {
        "resources": resources,
        "tasks": [{"command": ["sleep", "1"], "slot": "task", "count": {"per_slot": 1}}],
        "attributes": {"system": {"duration": 0, "cwd": "/w", "job": {"name": name}, **system}},
        "version": 1,
    }


def finished(t: float = T0) -> list[Event]:
    """The events of a job that succeeded, one per second."""
    contexts: list[tuple[str, dict[str, Any]]] = [
        ("submit", {"userid": 0, "urgency": 16, "flags": 0, "version": 1}),
        ("validate", {}),
        ("depend", {}),
        ("priority", {"priority": 16}),
        ("alloc", {}),
        ("start", {}),
        ("finish", {"status": 0}),
        ("release", {"ranks": "all", "final": True}),
        ("free", {}),
        ("clean", {}),
    ]
    return [Event(t + index + 0.5, name, context) for index, (name, context) in enumerate(contexts)]


def pending(t: float = T0) -> list[Event]:
    """The events of a job that waits for resources."""
    return finished(t)[:4]


def make_r(hosts: Sequence[str], cores: int) -> dict[str, Any]:
    """The R of a whole instance: ranks 0.. on these hosts, all alike."""
    ids = tuple(range(cores))
    return make_alloc([Share(rank, host, ids) for rank, host in enumerate(hosts)])


def instance(core_version: str = "0.88.0") -> list[Entry]:
    """What every archive begins with."""
    start = Event(T0, "start", {"version": 1, "core_version": core_version})
    resources = make_r(["n0", "n1"], 4)
    return [
        Entry("admin/eventlog", eventlog.encode([start]), mtime=int(T0)),
        Entry("resource/R", json.dumps(resources).encode(), mtime=int(T0)),
    ]


def job_entries(
    job_id: int, events: Iterable[Event], spec: dict[str, Any] | None = None
) -> list[Entry]:
    """A job's members as flux-dump writes them."""
    events = list(events)
    folder = "job/" + dothex(job_id).replace(".", "/")
    r = make_alloc([Share(0, "n0", (0,))], starttime=T0)
    entries = [Entry(f"{folder}/J", b"SECRET=hunter2")]
    if any(event.name == "alloc" for event in events):
        entries.append(Entry(f"{folder}/R", json.dumps(r).encode()))
    entries.append(Entry(f"{folder}/eventlog", eventlog.encode(events)))
    entries.append(Entry(f"{folder}/jobspec", json.dumps(spec or jobspec()).encode()))
    return entries


def write(*entries: Entry) -> bytes:
    """An archive of just these members."""
    return write_archive(entries, ".tar.gz")


def archive(*entries: Entry, suffix: str = ".tar.gz") -> bytes:
    """An archive of an instance with these members."""
    return write_archive([*instance(), *entries], suffix)
