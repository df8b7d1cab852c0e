"""What is said of an archive of the catalog, before it is opened."""

from __future__ import annotations

from fluxstate_tui.archive.manifest import CatalogEntry, Signature, says_verified
from fluxstate_tui.catalog.ownership import Identity, Ownership, claimed_owner, ownership
from fluxstate_tui.formatting import Word, plural


def verified_word(entry: CatalogEntry) -> Word:
    """How far its manifest says that it was verified: a claim, until it is opened and read."""
    if entry.problem:
        return Word("✗", "problem", "bad")
    if entry.manifest is None:
        return Word("?", "unverified", "warn")
    if entry.signature is Signature.WRONG:
        return Word("✗", "forged", "bad")
    said = f"says {entry.manifest.verified or 'L0'}"
    return Word("·", said, "plain") if says_verified(entry) else Word("?", said, "warn")


def whose(entry: CatalogEntry, me: Identity | None) -> str:
    """`of default/other: ` for one that says it is another MiniCluster's, else ''."""
    if me is None or entry.manifest is None or ownership(entry, me) is Ownership.OWN:
        return ""
    return f"of {claimed_owner(entry.manifest) or 'nobody knows whom'}: "


def note(entry: CatalogEntry, me: Identity | None = None) -> str:
    """What one must know before restoring it; whose it is, if it is not that of `me`."""
    if entry.problem:
        return entry.problem
    if entry.manifest is None:
        return "made by flux dump, without a manifest"
    if entry.signature is Signature.WRONG:
        return "its manifest was changed after it was signed, or is forged"
    if not entry.manifest.idle:
        return f"{whose(entry, me)}the queue was not idle: running jobs come back FAILED"
    manifest = entry.manifest
    nodes = (
        f"{whose(entry, me)}from {plural(manifest.size, 'node')}, flux-core {manifest.core_version}"
    )
    return f"{nodes}; {manifest.origin}" if manifest.origin else nodes
