"""Waiting for a new MiniCluster's broker, with the reasons while it is not there."""

from __future__ import annotations

from collections.abc import Callable

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.exits import ExitCode
from fluxstate_tui.model.minicluster import Derived, Phase
from fluxstate_tui.model.reference import ClusterRef
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.queue.running_jobs import duration
from fluxstate_tui.operations.world.patience import BROKEN, patiently
from fluxstate_tui.operations.world.read_cluster import lead_log, read_phase
from fluxstate_tui.operations.world.world import World, WorldError

_HOPELESS = {Phase.DEAD, Phase.FAILED, Phase.FINISHED, Phase.DELETING}
_ASKABLE = {Phase.STARTING, Phase.QUORUM, Phase.UP, Phase.PAUSED, Phase.DEGRADED}
_LOG_LINES = 40


async def bring_up(
    context: OperationContext, ref: ClusterRef, timeout: float, tell: Callable[[str], None]
) -> World:
    """Return it as soon as its broker is in state run.

    Raises FluxstateError with the phase and the last words of the lead when it failed or took
    longer than `timeout` seconds.
    """
    begin = context.clock.now()
    while True:
        derived = await patiently(context.clock, lambda: read_phase(context, ref))
        tell(f"{derived.phase.value}: {derived.reason}")
        if derived.phase in _HOPELESS:
            raise await _failed(context, ref, derived)
        world = await _running(context, ref, derived, tell)
        if world is not None:
            return world
        if context.clock.now() - begin > timeout:
            raise FluxstateError(
                f"its broker does not run after {duration(timeout)}: {derived.reason}",
                advice="Look at its pods and events; what failed can be restored again.",
            )
        await context.clock.sleep(1.0)


async def _running(
    context: OperationContext,
    ref: ClusterRef,
    derived: Derived,
    tell: Callable[[str], None],
) -> World | None:
    """The world if its broker is in state run; else says what is in the way."""
    try:
        world = await World.open(context, ref)
    except BROKEN:
        return None
    except WorldError as error:
        if derived.phase in _ASKABLE:
            tell(f"{derived.phase.value}: {error.message}")
        return None
    if world.broker_state == "run":
        return world
    tell(f"broker state {world.broker_state}")
    await world.close()
    return None


async def _failed(context: OperationContext, ref: ClusterRef, derived: Derived) -> FluxstateError:
    """The lead ends as Completed even when the restore failed: its log has the reason."""
    words = [
        line
        for line in await lead_log(context, ref, _LOG_LINES)
        if "flux-restore:" in line or "rc1" in line or ".err[" in line or ".crit[" in line
    ]
    said = f" ({words[0].strip()})" if words else ""
    return FluxstateError(
        f"the MiniCluster is {derived.phase.value}: {derived.reason}{said}",
        advice=f"Delete {ref.name} and restore another version.",
        exit_code=ExitCode.FAILURE,
    )
