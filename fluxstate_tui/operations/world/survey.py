"""One MiniCluster at a glance, read once: phase, pods, queues and numbers of jobs."""

from __future__ import annotations

from dataclasses import dataclass

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.errors import Forbidden
from fluxstate_tui.model.minicluster import Derived, MiniCluster, Phase
from fluxstate_tui.model.phase import derive
from fluxstate_tui.model.queue import Queue
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.world.read_cluster import read_objects
from fluxstate_tui.operations.world.world import World


@dataclass(frozen=True, slots=True)
class Survey:
    """`queues` and `counts` (pending, running, inactive) are None if no broker can be asked.

    `unreachable` says why.
    """

    minicluster: MiniCluster
    derived: Derived
    pods_running: int
    queues: tuple[Queue, ...] | None = None
    counts: dict[str, int] | None = None
    unreachable: str = ""

    @property
    def why(self) -> str:
        """Why it is in this phase; if that is unknown, also which right is wanting."""
        reason = self.derived.reason
        return f"{reason} {self.unreachable}" if self.derived.phase is Phase.UNKNOWN else reason

    @property
    def queue_word(self) -> str:
        """started, stopped, or how many of several are started; `-` when it is not known."""
        if self.queues is None:
            return "-"
        started = sum(queue.started for queue in self.queues)
        if started in (0, len(self.queues)):
            return "started" if started else "stopped"
        return f"{started}/{len(self.queues)} started"


async def survey(context: OperationContext, minicluster: MiniCluster) -> Survey:
    """Raises KubeError; brokers that do not answer are part of the picture."""
    job, pods = await read_objects(context, minicluster)
    running = sum(pod.phase == "Running" and pod.deleting_since is None for pod in pods)
    now = context.server_now
    try:
        world = await World.open(context, minicluster.ref)
    except FluxstateError as error:
        askable = not isinstance(error, Forbidden)
        derived = derive(minicluster, job, pods, None, (), now, askable=askable)
        return Survey(minicluster, derived, running, unreachable=error.message)
    try:
        queues = await world.queues()
        counts = await world.counts()
        derived = derive(minicluster, job, pods, world.broker_state, queues, now)
        return Survey(minicluster, derived, running, queues, counts)
    except FluxstateError as error:
        derived = derive(minicluster, job, pods, world.broker_state, (), now)
        return Survey(minicluster, derived, running, unreachable=error.message)
    finally:
        await world.close()
