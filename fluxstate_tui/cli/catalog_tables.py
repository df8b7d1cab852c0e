"""How archives are shown by commands: as a table, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from fluxstate_tui.archive.manifest import CatalogEntry, Signature
from fluxstate_tui.archive.verify import Verdict
from fluxstate_tui.catalog.contents import Contents
from fluxstate_tui.catalog.ownership import owner_of
from fluxstate_tui.cli.tables import age, size, table

FORGED = "its manifest was changed after it was signed, or is forged"
HEADER = ("ID", "SIZE", "JOBS", "VERIFIED", "AGE", "OF", "SIGNATURE", "NOTE")


def listing(
    entries: Sequence[CatalogEntry], now: float, facts: Mapping[str, Contents] | None = None
) -> str:
    """A table, in the order that is given. `facts` is what was verified here, by path.

    Without that it is what a manifest says, and so it is shown.
    """
    known = facts or {}
    return table(HEADER, [_row(entry, now, known.get(entry.path)) for entry in entries])


def entry_json(entry: CatalogEntry, fact: Contents | None = None) -> dict[str, Any]:
    """Everything but what the manifest carries along for a restore.

    `manifest` is what it says; `verifiedHere` what this computer read, null if it did not.
    """
    manifest = asdict(entry.manifest) if entry.manifest else None
    if manifest:
        manifest.pop("extra")
    return {**asdict(entry), "manifest": manifest, "verifiedHere": _fact_json(fact)}


def _fact_json(fact: Contents | None) -> dict[str, Any] | None:
    if fact is None:
        return None
    owner = fact.saved_by
    saved = {"namespace": owner.namespace, "name": owner.name, "uid": owner.uid} if owner else None
    return {
        "level": fact.level,
        "jobs": len(fact.jobs),
        "active": len(fact.active),
        "made": fact.made,
        "sha256": fact.sha256,
        "savedFrom": saved,
    }


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


def _row(entry: CatalogEntry, now: float, fact: Contents | None) -> tuple[object, ...]:
    manifest = entry.manifest
    if fact is not None:
        seen: tuple[object, ...] = (len(fact.jobs), fact.level, age(now - fact.made))
    elif manifest is not None and not entry.problem:
        jobs, old = sum(manifest.counts.values()), age(now - manifest.created)
        level = f"says {manifest.verified}" if manifest.verified else "-"
        seen = (f"says {jobs}", level, f"says {old}" if manifest.created <= now else "says later")
    else:
        seen = ("?", "-", age(now - (manifest.created if manifest else entry.modified)))
    owner = owner_of(entry, fact.saved_by if fact is not None else None)
    note = manifest.origin if manifest else "made by others; not verified"
    signature = "-" if manifest is None else entry.signature.value
    if entry.signature is Signature.WRONG:
        signature, note = "WRONG", FORGED
    return (entry.id, size(entry.size), *seen, owner or "?", signature, entry.problem or note)
