"""The archive that a delete may rely on: found, read out, and compared with the live queue."""

from __future__ import annotations

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.model.job import Job
from fluxstate_tui.operations.catalogue.access import Reach, view_catalogue
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.delete.loss import Loss, loss
from fluxstate_tui.operations.delete.plan import Cover, candidates
from fluxstate_tui.operations.queue.running_jobs import duration
from fluxstate_tui.operations.save.fetch import fetch
from fluxstate_tui.operations.script import HelperPodNeededError
from fluxstate_tui.operations.world.observation import Observation
from fluxstate_tui.operations.world.world import World


async def find_cover(
    context: OperationContext, world: World | None, seen: Observation, reach: Reach
) -> tuple[Cover, tuple[Job, ...]]:
    """The newest fitting archive, read out and compared with the live queue, and its jobs."""
    live = seen.jobs or ()
    nothing = Loss(missing=tuple(live))
    if world is None:
        return Cover(None, nothing, await _what_is_saved(context, seen, reach)), ()
    fitting = candidates(seen.catalogue, seen.minicluster.ref)
    if not fitting:
        why = "No verified archive of this MiniCluster (same uid, taken while idle) is there."
        return Cover(None, nothing, why), ()
    entry = fitting[0]
    try:
        async with fetch(world.files, entry.path, context.state_dir, lambda text: None) as archive:
            pass
    except FluxstateError as error:
        return Cover(None, nothing, f"{entry.id} cannot be verified: {error.message}"), ()
    parts = entry.manifest.parts if entry.manifest else ()
    if archive.findings or all(part.sha256 != archive.sha256 for part in parts):
        return Cover(None, nothing, f"{entry.id} is not what its manifest says."), ()
    saved = tuple(archived.job for archived in archive.jobs)
    return Cover(entry, loss(live, saved)), saved


async def _what_is_saved(context: OperationContext, seen: Observation, reach: Reach) -> str:
    """For a MiniCluster whose brokers are dead: what its volume has of it, in one sentence."""
    minicluster = seen.minicluster
    try:
        view = await view_catalogue(context, minicluster, minicluster.ref.name, reach)
    except HelperPodNeededError as needed:
        return f"Its catalogue was not looked at: that would need {needed.pod}."
    except FluxstateError as error:
        return f"Its catalogue cannot be read either: {error.message}"
    fitting = candidates(view.entries, minicluster.ref)
    if not fitting or fitting[0].manifest is None:
        return "No verified archive of it is in the catalogue."
    newest = fitting[0].manifest
    age = duration(seen.now - newest.created)
    return f"The newest verified archive is {newest.id}, {age} old; what came since is not in it."
