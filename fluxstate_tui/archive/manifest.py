"""The manifest beside every archive in a catalogue: what it holds and how that is known."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a saved state. Today always the queue's archive; storage will add parts."""

    kind: str
    file: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A saved state. Times are seconds since the epoch, by the clock of who wrote it.

    `counts` is jobs by status (`COMPLETED`, `SCHED`, ...). `verified` is the highest level that
    was reached when it was saved: L0 size, L1 sha256, L2 structure and counts, L3 opened by Flux.
    `idle` says that the queue was stopped and idle when it was dumped.
    """

    id: str
    minicluster: str
    namespace: str
    uid: str
    size: int
    created: float
    created_by: str
    core_version: str
    counts: dict[str, int]
    verified: str
    idle: bool
    came_from: str = ""
    parts: tuple[Part, ...] = ()
    format: int = 1
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One archive that was found. `manifest` is None for a file that others made by `flux dump`."""

    id: str
    path: str
    size: int
    modified: float
    manifest: Manifest | None
    problem: str = ""
