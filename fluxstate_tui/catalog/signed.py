"""Manifests with a signature of the namespace's key: written with one, and compared when read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fluxstate_tui.archive.manifest import CatalogEntry, Manifest, Signature
from fluxstate_tui.archive.signature import SigningKey, check
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.catalog.catalog import Listing, read_catalog
from fluxstate_tui.catalog.maintenance import queue_part
from fluxstate_tui.catalog.records import recall


@dataclass(frozen=True, slots=True)
class Signing:
    """`key` signs, if there is any; `says` is for people, '' where there is nothing new."""

    key: SigningKey | None
    says: str


async def signing(context: OperationContext, namespace: str) -> Signing:
    """What manifests of that namespace are signed with. Why with nothing is said once."""
    keys = await context.signing_keys.to_sign(namespace)
    if keys.newest is not None:
        return Signing(keys.newest, f"signed with the key {keys.newest.id}")
    if not context.signing_secret:
        return Signing(None, "")
    first = context.signing_keys.first_time(namespace)
    return Signing(None, f"not signed: {keys.why}" if first else "")


async def read_signed(
    context: OperationContext, namespace: str, files: Listing, folder: str
) -> tuple[CatalogEntry, ...]:
    """The catalog, with its signatures compared with that namespace's keys.

    Raises FluxstateError.
    """
    return await compared(context, namespace, await read_catalog(files, folder))


async def compared(
    context: OperationContext, namespace: str, entries: Sequence[CatalogEntry]
) -> tuple[CatalogEntry, ...]:
    """The same entries with what their signatures are worth; without any, no Secret is read."""
    if not any(one.manifest is not None and one.manifest.signature is not None for one in entries):
        return tuple(entries)
    keys = (await context.signing_keys.to_verify(namespace)).keys

    def compare() -> tuple[CatalogEntry, ...]:
        return tuple(_compared(context, keys, entry) for entry in entries)

    return await asyncio.to_thread(compare)


def _compared(
    context: OperationContext, keys: Sequence[SigningKey], entry: CatalogEntry
) -> CatalogEntry:
    if entry.manifest is None:
        return entry
    found = check(entry.manifest, keys)
    if found is Signature.VALID and _saved_here(context, entry, entry.manifest):
        found = Signature.OWN
    return replace(entry, signature=found)


def _saved_here(context: OperationContext, entry: CatalogEntry, manifest: Manifest) -> bool:
    part = queue_part(entry)
    known = recall(context.state_dir, part.sha256) if part is not None else None
    owner = known.saved_by if known is not None else None
    says = (manifest.namespace, manifest.minicluster)
    return owner is not None and (owner.namespace, owner.name) == says


def words(entry: CatalogEntry, *, saved_here: bool) -> tuple[str, ...]:
    """What a plan says of it; nothing of a manifest that this computer needs nobody's word for."""
    match entry.signature:
        case Signature.WRONG:
            said = (
                "DANGER: the signature of its manifest is WRONG: it was changed after it was "
                "signed, or it is a forgery. What it says is not used, unless you ask for it."
            )
        case Signature.UNKNOWN_KEY:
            said = (
                "Its manifest is signed with a key that is not known here: nobody vouches for "
                "what it says."
            )
        case Signature.UNSIGNED if entry.manifest is not None and not saved_here:
            said = "Its manifest is not signed: nobody vouches for what it says."
        case Signature.VALID:
            said = "Its manifest is signed with the namespace's key."
        case _:
            return ()
    return (said,)
