"""Whose an archive is, relative to one MiniCluster. Several may share a catalog."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from fluxstate_tui.archive.manifest import Signature

if TYPE_CHECKING:
    from fluxstate_tui.archive.manifest import CatalogEntry, Manifest
    from fluxstate_tui.minicluster.minicluster import ClusterRef


class Ownership(Enum):
    """UNKNOWN: nobody says whose it is, or what is said does not fit together."""

    OWN = "own"
    PREDECESSOR = "predecessor"
    OTHER = "other"
    UNKNOWN = "unknown"

    @property
    def is_ours(self) -> bool:
        """It may stand for the MiniCluster where nobody named an archive."""
        return self in (Ownership.OWN, Ownership.PREDECESSOR)


@dataclass(frozen=True, slots=True)
class Owner:
    """The MiniCluster that an archive was saved from. '' is not known.

    `recorded` says that this computer saved it itself; otherwise it is what the manifest says,
    which anybody may have written.
    """

    namespace: str
    name: str
    uid: str = ""
    archive_path: str = ""
    server: str = ""
    recorded: bool = False

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Identity:
    """A MiniCluster as archives are compared with it; `uid` is '' for one to be created.

    `predecessors` are uids of those that its queue was restored from; `restored_from` is the id of
    the archive that it came from, as the object itself says.
    """

    namespace: str
    name: str
    uid: str = ""
    archive_path: str = ""
    server: str = ""
    predecessors: frozenset[str] = field(default_factory=frozenset)
    restored_from: str = ""


RESTORED_FROM = "fluxstate/restored-from"
"""An annotation of a MiniCluster: the archive that its queue came from."""


def identity_of(
    ref: ClusterRef,
    raw: Mapping[str, Any],
    *,
    server: str = "",
    predecessors: Iterable[str] = (),
) -> Identity:
    """From a MiniCluster object, living or as it was seen last."""
    metadata = raw.get("metadata") or {}
    uid = ref.uid or str(metadata.get("uid") or "")
    notes = metadata.get("annotations") or {}
    came_from = str(notes.get(RESTORED_FROM) or "")
    return Identity(
        namespace=ref.namespace,
        name=ref.name,
        uid=uid,
        archive_path=_path(raw),
        server=server,
        predecessors=frozenset(predecessors),
        restored_from=came_from,
    )


def claimed_owner(manifest: Manifest) -> Owner | None:
    """What a manifest says; None when it names nobody."""
    if not manifest.minicluster:
        return None
    path = _path(manifest.saved_object or {})
    return Owner(manifest.namespace, manifest.minicluster, manifest.uid, path)


def owner_of(entry: CatalogEntry, recorded: Owner | None = None) -> Owner | None:
    """What was recorded by this computer, else what its manifest says, if that was not forged."""
    if recorded is not None:
        return recorded
    if entry.manifest is None or entry.signature is Signature.WRONG:
        return None
    return claimed_owner(entry.manifest)


def ownership(entry: CatalogEntry, me: Identity, recorded: Owner | None = None) -> Ownership:
    """By uid, then by lineage, then by name, namespace and the name of the armed file.

    A MiniCluster that was deleted and made anew under its name is the same for people, although
    its uid is another; one of that name on another server, or with another file, is not.
    """
    owner = owner_of(entry, recorded)
    if owner is None:
        return Ownership.UNKNOWN
    if owner.server and me.server and owner.server != me.server:
        return Ownership.OTHER
    if owner.uid and owner.uid == me.uid:
        return Ownership.OWN
    if owner.uid in me.predecessors or (me.restored_from and entry.id == me.restored_from):
        same = (owner.namespace, owner.name) == (me.namespace, me.name)
        return Ownership.OWN if same else Ownership.PREDECESSOR
    if (owner.namespace, owner.name) != (me.namespace, me.name):
        return Ownership.OTHER
    if owner.archive_path and me.archive_path and not _same_file(owner, me):
        return Ownership.UNKNOWN
    return Ownership.OWN


def ours(entries: Iterable[CatalogEntry], me: Identity) -> tuple[CatalogEntry, ...]:
    """Those that say they are its own or its predecessors'."""
    return tuple(entry for entry in entries if ownership(entry, me).is_ours)


def not_of_others(entries: Iterable[CatalogEntry], me: Identity) -> tuple[CatalogEntry, ...]:
    """All but those that say they are another's: also what nobody says anything of."""
    return tuple(one for one in entries if ownership(one, me) is not Ownership.OTHER)


def _same_file(owner: Owner, me: Identity) -> bool:
    """By name alone: the volume may be mounted elsewhere."""
    return posixpath.basename(owner.archive_path) == posixpath.basename(me.archive_path)


def _path(raw: Mapping[str, Any]) -> str:
    spec = raw.get("spec")
    archive = spec.get("archive") if isinstance(spec, Mapping) else None
    return str(archive.get("path") or "") if isinstance(archive, Mapping) else ""
