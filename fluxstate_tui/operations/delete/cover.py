"""The archive that a delete may rely on: found, read out, and compared with the live queue."""

from __future__ import annotations

from dataclasses import replace

from fluxstate_tui.archive.catalogue import folder_of
from fluxstate_tui.archive.contents import JobKey, Known, key_of, missing_from, newest_first
from fluxstate_tui.archive.manifest import CatalogueEntry
from fluxstate_tui.archive.ownership import Identity
from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.feeds.catalogues import read_catalogue
from fluxstate_tui.model.job import Job
from fluxstate_tui.operations.catalogue.access import Reach, volume_files
from fluxstate_tui.operations.catalogue.known import (
    identity,
    maybe_ours,
    missing_lines,
    ours,
    read_known,
)
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.delete.loss import Loss, loss
from fluxstate_tui.operations.delete.plan import Cover, candidates
from fluxstate_tui.operations.queue.running_jobs import duration
from fluxstate_tui.operations.save.fetch import fetch
from fluxstate_tui.operations.script import HelperPodNeededError
from fluxstate_tui.operations.world.observation import Observation, counted
from fluxstate_tui.operations.world.world import World

# Archives that this computer has no record of: nothing is lost where they are not read.
MOST_READ_FOR_A_DELETE = 8


async def find_cover(
    context: OperationContext, world: World | None, seen: Observation, reach: Reach
) -> tuple[Cover, tuple[Job, ...]]:
    """The newest fitting archive, read out and compared with the live queue, and its jobs."""
    live = seen.jobs or ()
    nothing = Loss(missing=tuple(live))
    ref, raw = seen.minicluster.ref, seen.minicluster.raw
    me = identity(context, ref, raw)
    if world is None:
        return await _what_is_saved(context, seen, me, reach), ()
    if why := not_lasting(world, seen.minicluster.archive_path):
        return Cover(None, nothing, f"{why[0].upper()}{why[1:]}."), ()
    state_dir = context.state_dir
    maybe = maybe_ours(seen.catalogue, me, state_dir)
    versions = ours(await read_known(world.files, maybe, state_dir, MOST_READ_FOR_A_DELETE), me)
    keys = frozenset(map(key_of, live))
    beyond = missing_lines(missing_from(keys, versions), "the live queue")
    nothing_of_it = Cover(None, nothing, beyond=beyond)
    fitting = _most_of(keys, candidates(seen.catalogue, ref), versions)
    if not fitting:
        why = "No verified archive of this MiniCluster (same uid, taken while idle) is there."
        return replace(nothing_of_it, problem=why), ()
    entry = fitting[0]
    try:
        async with fetch(world.files, entry.path, context.state_dir, lambda text: None) as archive:
            pass
    except FluxstateError as error:
        why = f"{entry.id} cannot be verified: {error.message}"
        return replace(nothing_of_it, problem=why), ()
    parts = entry.manifest.parts if entry.manifest else ()
    if archive.findings or all(part.sha256 != archive.sha256 for part in parts):
        return replace(nothing_of_it, problem=f"{entry.id} is not what its manifest says."), ()
    saved = tuple(archived.job for archived in archive.jobs)
    return Cover(entry, loss(live, saved), beyond=beyond), saved


def _most_of(
    live: frozenset[JobKey], fitting: list[CatalogueEntry], versions: tuple[Known, ...]
) -> list[CatalogueEntry]:
    """Those that have most of these jobs first, by what was read; among equals the latest.

    What was not read comes last: its manifest may say anything.
    """
    read = {one.entry.path: one.contents for one in versions if one.contents is not None}

    def rank(entry: CatalogueEntry) -> tuple[bool, int, float]:
        contents = read.get(entry.path)
        if contents is None:
            return (False, 0, 0.0)
        return (True, len(live & contents.jobs), contents.made)

    return sorted(fitting, key=rank, reverse=True)


def not_lasting(world: World, path: str) -> str:
    """Why what lies at `path` goes when the pods go, '' when it stays."""
    mount = world.files.mount_of(path) if path else None
    if not path or (mount is not None and mount.lasting):
        return ""
    where = str(mount) if mount is not None else "no volume, but the container's own file system"
    return f"spec.archive.path {path} lies on {where}: the archives there die with the pod"


async def _what_is_saved(
    context: OperationContext, seen: Observation, me: Identity, reach: Reach
) -> Cover:
    """For a MiniCluster whose brokers are dead: what its volume has of it, in sentences."""
    minicluster, state_dir = seen.minicluster, context.state_dir
    limit, nothing = MOST_READ_FOR_A_DELETE, Loss(missing=tuple(seen.jobs or ()))
    try:
        async with volume_files(context, minicluster, minicluster.ref.name, reach) as (files, path):
            entries = maybe_ours(await read_catalogue(files, folder_of(path)), me, state_dir)
            versions = ours(await read_known(files, entries, state_dir, limit), me)
    except HelperPodNeededError as needed:
        why = f"Its catalogue was not looked at: that would need {needed.pod}."
        return Cover(None, nothing, why)
    except FluxstateError as error:
        return Cover(None, nothing, f"Its catalogue cannot be read either: {error.message}")
    ordered = newest_first(versions, seen.now)
    if not ordered:
        return Cover(None, nothing, "No verified archive of it is in the catalogue.")
    newest, contents = ordered[0]
    age = duration(seen.now - contents.made)
    jobs = counted(len(contents.jobs), "job")
    said = f"The newest verified archive is {newest.entry.id}, {age} old, with {jobs}"
    others = [known for known, _ in ordered[1:]]
    beyond = missing_lines(missing_from(contents.jobs, others), newest.entry.id)
    return Cover(None, nothing, f"{said}; what came since is not in it.", beyond)
