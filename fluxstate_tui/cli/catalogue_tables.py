"""How archives are shown by commands: as a table, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from fluxstate_tui.archive.manifest import CatalogueEntry
from fluxstate_tui.archive.verify import Verdict
from fluxstate_tui.cli.tables import age, size, table

HEADER = ("ID", "SIZE", "JOBS", "VERIFIED", "AGE", "NOTE")


def listing(entries: Sequence[CatalogueEntry], now: float) -> str:
    """A table, in the order that is given."""
    return table(HEADER, [_row(entry, now) for entry in entries])


def entry_json(entry: CatalogueEntry) -> dict[str, Any]:
    """Everything but what the manifest carries along for a restore."""
    manifest = asdict(entry.manifest) if entry.manifest else None
    if manifest:
        manifest.pop("extra")
    return {**asdict(entry), "manifest": manifest}


def verdict_json(verdict: Verdict | str) -> dict[str, Any]:
    """A verdict, or why there is none."""
    if isinstance(verdict, str):
        return {"good": False, "kind": "", "level": "", "message": verdict, "counts": {}}
    return {
        "good": verdict.kind.good,
        "kind": verdict.kind.value,
        "level": verdict.level,
        "message": verdict.sentence(),
        "counts": verdict.counts,
    }


def names(ids: Iterable[str]) -> str:
    """Some ids in words."""
    return ", ".join(sorted(ids)) or "nothing"


def _row(entry: CatalogueEntry, now: float) -> tuple[object, ...]:
    manifest = entry.manifest
    return (
        entry.id,
        size(entry.size),
        sum(manifest.counts.values()) if manifest else "?",
        manifest.verified if manifest and not entry.problem else "-",
        age(now - (manifest.created if manifest else entry.modified)),
        entry.problem or (manifest.origin if manifest else "made by others; not verified"),
    )
