"""MiniClusters that live beside a restore, and what it could do to them.

That jobs of an archive run or wait elsewhere is judged by these very jobs, in the live queues: a
name says nothing, as a queue may have moved to another one, and every tutorial has the same.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fluxstate_tui.archive.contents import JobKey, key_of
from fluxstate_tui.archive.ownership import Owner, identity_of
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.flux.command import run_flux
from fluxstate_tui.flux.fallback import parse_jobs
from fluxstate_tui.flux.locate import locate
from fluxstate_tui.kube.errors import Forbidden
from fluxstate_tui.kube.objects import parse_minicluster
from fluxstate_tui.model.job import JobState
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.catalogue import records
from fluxstate_tui.operations.catalogue.place import archive_volume
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.journal.moves import moves
from fluxstate_tui.operations.restore.plan import Source
from fluxstate_tui.operations.world.observation import counted

MOST_ASKED = 32
_AT_ONCE = 8
_ANSWER_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A living MiniCluster. `active` are jobs of its queue that are not over; None: not known.

    `related` says that its queue is known to have come from the one that the archive is of.
    """

    raw: dict[str, Any]
    active: frozenset[JobKey] | None = frozenset()
    related: bool = False
    why: str = ""

    @property
    def ref(self) -> ClusterRef:
        """Its name."""
        metadata = self.raw.get("metadata") or {}
        return ClusterRef(
            str(metadata.get("namespace", "")),
            str(metadata.get("name", "")),
            str(metadata.get("uid", "")),
        )


def dangers(
    manifest: dict[str, Any], waiting: Collection[JobKey], living: Iterable[Neighbour]
) -> tuple[str, ...]:
    """One line for each danger. `waiting` are the jobs of the archive that are not over."""
    namespace = str(manifest["metadata"].get("namespace", ""))
    place = _file(namespace, manifest["spec"])
    lines = []
    for other in living:
        ref = other.ref
        name = ref.name if ref.namespace == namespace else str(ref)
        both = len(other.active & set(waiting)) if other.active is not None else 0
        if both:
            verb = "is" if both == 1 else "are"
            lines.append(
                f"DANGER: {counted(both, 'job')} of it {verb} in the live queue of {name} now: "
                "they may run in both."
            )
        if waiting and other.active is None and other.related:
            lines.append(
                f"DANGER: {name}, whose queue came from it, lives and cannot be asked "
                f"({other.why.rstrip('.')}): {counted(len(waiting), 'job')} may run in both."
            )
        if place is not None and _file(ref.namespace, other.raw.get("spec") or {}) == place:
            lines.append(
                f"DANGER: {name} reads the same archive.path: if its lead container restarts "
                "before this is disarmed, it loads this archive and throws its own queue away."
            )
    return tuple(lines)


async def dangers_beside(
    context: OperationContext, source: Source, manifest: dict[str, Any], owner: Owner | None
) -> tuple[str, ...]:
    """What a restore could do to MiniClusters that live; nothing without the right to list them.

    `owner` is the MiniCluster that the archive was saved from. Those that may have its queue are
    asked first; Raises FluxstateError when the API server does not answer.
    """
    living = await _living(context, str(manifest["metadata"]["namespace"]))
    waiting = {key_of(job) for job in source.jobs if job.state is not JobState.INACTIVE}
    if not waiting:
        return dangers(manifest, waiting, [Neighbour(raw) for raw in living])
    uid = owner.uid if owner is not None else ""
    related = [_is_related(context, raw, uid, source.entry.id) for raw in living]
    order = sorted(range(len(living)), key=lambda at: not related[at])
    gate = asyncio.Semaphore(_AT_ONCE)

    async def ask(at: int) -> Neighbour:
        async with gate:
            return await _ask(context, living[at], related=related[at])

    asked = await asyncio.gather(*map(ask, order[:MOST_ASKED]))
    rest = [Neighbour(living[at], None, related[at], "not asked") for at in order[MOST_ASKED:]]
    lines = [*dangers(manifest, waiting, (*asked, *rest))]
    if rest:
        lines.append(
            f"{counted(len(rest), 'other MiniCluster')} were not asked whether they have its jobs."
        )
    return (*lines, *_moved(context, owner, len(waiting)))


def _moved(context: OperationContext, owner: Owner | None, waiting: int) -> Sequence[str]:
    """To another cluster: its queue cannot be asked from here."""
    if owner is None or not owner.uid:
        return ()
    return [
        f"DANGER: {move.source} was migrated to {move.words} from here: "
        f"{counted(waiting, 'job')} may run there, which was not asked."
        for move in moves(context.state_dir)
        if move.source.uid == owner.uid and move.server != context.cluster.server
    ]


def _is_related(context: OperationContext, raw: dict[str, Any], uid: str, archive: str) -> bool:
    found = identity_of(ClusterRef("", "", ""), raw)
    if uid and uid in (found.uid, *records.predecessors(context.state_dir, found.uid)):
        return True
    return found.restored_from == archive


async def _living(context: OperationContext, namespace: str) -> list[dict[str, Any]]:
    """Of all namespaces, as far as they may be listed."""
    resource = await context.cluster.minicluster_resource()
    for where in (None, namespace):
        try:
            return await context.cluster.list(resource, where)
        except Forbidden:
            continue
    return []


async def _ask(context: OperationContext, raw: dict[str, Any], *, related: bool) -> Neighbour:
    """The jobs that are not over in its live queue."""
    try:
        endpoint = await locate(context.cluster, parse_minicluster(raw))
        text = await run_flux(
            context.cluster,
            endpoint,
            ("jobs", "-A", "-c0", "--json"),
            timeout=_ANSWER_SECONDS,
            only_reads=True,
        )
        return Neighbour(raw, frozenset(map(key_of, parse_jobs(text))), related)
    except FluxstateError as error:
        return Neighbour(raw, None, related, error.message)


def _file(namespace: str, spec: dict[str, Any]) -> tuple[str, str, str] | None:
    """The file behind `spec.archive.path`: kind and name of its volume, and the path in that."""
    volume = archive_volume(spec)
    if volume is None:
        return None
    path = posixpath.relpath(str(spec["archive"]["path"]), str(volume["path"]))
    if volume.get("claimName"):
        return "claimName", f"{namespace}/{volume['claimName']}", path
    if volume.get("hostPath"):
        return "hostPath", str(volume["hostPath"]), path
    return None
