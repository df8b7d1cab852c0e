"""Which archive a restore takes, and what must be said about it and the others beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fluxstate_tui.archive.manifest import CatalogEntry
from fluxstate_tui.archive.reader import Archive
from fluxstate_tui.broker.context import OperationContext
from fluxstate_tui.catalog.contents import (
    FUTURE_SECONDS,
    Known,
    NoDefaultError,
    contents_of,
    default,
    missing_from,
)
from fluxstate_tui.catalog.folder import FolderFiles
from fluxstate_tui.catalog.ownership import Identity, Ownership, claimed_owner, ownership
from fluxstate_tui.catalog.records import (
    maybe_ours,
    missing_lines,
    ours,
    owner_words,
    read_known,
    unread_line,
)
from fluxstate_tui.catalog.signed import words
from fluxstate_tui.errors import ExitCode, FluxstateError

_UNREAD_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Chosen:
    """The archive, and all of the same MiniCluster as far as they were read."""

    known: Known
    versions: tuple[Known, ...]
    me: Identity

    @property
    def entry(self) -> CatalogEntry:
        """As the catalog lists it."""
        return self.known.entry

    def lines(self, archive: Archive) -> tuple[str, ...]:
        """Whose it is, and what others of this MiniCluster hold that it, as read, does not."""
        own = contents_of(archive)
        recorded = self.known.contents.saved_by if self.known.contents is not None else None
        who = f"{self.entry.id} is {owner_words(self.known)}."
        match ownership(self.entry, self.me, recorded):
            case Ownership.OTHER | Ownership.UNKNOWN:
                who = f"DANGER: it is not known to be {_name(self.me)}'s: {who}"
            case Ownership.PREDECESSOR:
                who = f"{who} {_name(self.me)} came from it."
            case Ownership.OWN:
                pass
        others = [one for one in self.versions if one.entry.path != self.entry.path]
        missing = missing_from(own.jobs, others)
        saved_here = recorded is not None
        signature = words(self.entry, saved_here=saved_here)
        return (who, *signature, *missing_lines(missing, self.entry.id), *unread_line(others))


async def choose(
    context: OperationContext,
    files: FolderFiles,
    entries: Sequence[CatalogEntry],
    me: Identity,
    wanted: str,
) -> Chosen:
    """The archive by id or path; without a wish the newest of this MiniCluster, by content.

    Raises FluxstateError when there is none, or when none is clearly the newest.
    """
    if wanted:
        entry = named(entries, wanted)
        (known,) = await read_known(files, [entry], context.state_dir, limit=0)
        mine = maybe_ours(entries, me, context.state_dir)
        others = await read_known(files, mine, context.state_dir, limit=0)
        return Chosen(known, ours(others, me), me)
    maybe = maybe_ours(entries, me, context.state_dir)
    versions = ours(await read_known(files, maybe, context.state_dir), me)
    return Chosen(newest(versions, entries, me, context.server_now), versions, me)


def newest(
    versions: Sequence[Known], entries: Sequence[CatalogEntry], me: Identity, now: float
) -> Known:
    """The default among those of one MiniCluster. Raises FluxstateError with what to name."""
    try:
        found = _default(versions, me, now)
    except NoDefaultError as error:
        raise _undecided(error, versions) from None
    if found is None or found.contents is None:
        unread = [one for one in versions if one.contents is None]
        raise _not_sound(unread[0]) if unread else _none_of(me, entries)
    since = found.contents.made
    for one in versions:
        if one.contents is None and since < _claimed_time(one) <= now + FUTURE_SECONDS:
            raise _not_sound(one)
    return found


def _default(versions: Sequence[Known], me: Identity, now: float) -> Known | None:
    """Of what this computer saved in this life of the MiniCluster, once that has any job.

    Archives of an earlier life under the same name are told of in the plan. They leave it undecided
    only where this life has none of its own, or an empty one: its queue may have been lost.
    """
    own = default([one for one in versions if _of_this_life(one, me)], now)
    if own is not None and own.contents is not None and own.contents.jobs:
        return own
    return default(versions, now)


def _of_this_life(known: Known, me: Identity) -> bool:
    owner = known.owner
    if owner is None or not owner.recorded or not owner.uid:
        return False
    return owner.uid == me.uid or owner.uid in me.predecessors


def named(entries: Sequence[CatalogEntry], wanted: str) -> CatalogEntry:
    """The entry by id or path. Raises FluxstateError (exit 4)."""
    for entry in entries:
        if wanted in (entry.id, entry.path):
            return entry
    known = ", ".join(entry.id for entry in entries[:_UNREAD_MOST_NAMED]) or "none"
    raise FluxstateError(
        f"there is no archive {wanted!r} on the volume",
        safe="Nothing was done.",
        advice=f"There are: {known}.",
        exit_code=ExitCode.NOT_FOUND,
    )


def _claimed_time(known: Known) -> float:
    manifest = known.entry.manifest
    return manifest.created if manifest is not None else known.entry.modified


def _not_sound(known: Known) -> FluxstateError:
    return FluxstateError(
        f"{known.entry.id} is not sound: {known.why}",
        safe="Nothing was done; the file is untouched.",
        advice="It is said to be the newest. Choose another version with --archive ID.",
        exit_code=ExitCode.VERIFICATION,
    )


def _undecided(error: NoDefaultError, versions: Sequence[Known]) -> FluxstateError:
    """Each of two has jobs that the other has not: which is meant, only people know."""
    one, other = error.newest, error.other
    (less,) = missing_from(one.contents.jobs if one.contents else (), [other]) or (None,)
    (more,) = missing_from(other.contents.jobs if other.contents else (), [one]) or (None,)
    holds = missing_lines(filter(None, (less,)), one.entry.id)
    also = missing_lines(filter(None, (more,)), other.entry.id)
    return FluxstateError(
        f"no archive is clearly the newest: {' '.join((*holds, *also))}".rstrip("."),
        safe="Nothing was done.",
        advice=f"Name the one that is meant: --archive {other.entry.id} or {one.entry.id}",
        exit_code=ExitCode.REFUSED,
    )


def _none_of(me: Identity, entries: Sequence[CatalogEntry]) -> FluxstateError:
    whose = f"the catalog has no verified archive of {_name(me)}"
    other = next((one for one in entries if one.manifest is not None and not one.problem), None)
    if other is None or other.manifest is None:
        return FluxstateError(
            whose,
            safe="Nothing was done.",
            advice="Name a file with --archive PATH, if there is one.",
            exit_code=ExitCode.NOT_FOUND,
        )
    says = f"{other.id} says that it is of {claimed_owner(other.manifest)}"
    return FluxstateError(
        f"{whose}; the newest there, {says}",
        safe="Nothing was done.",
        advice=f"If that one is meant: --archive {other.id}",
        exit_code=ExitCode.NOT_FOUND,
    )


def _name(me: Identity) -> str:
    return f"{me.namespace}/{me.name}"
