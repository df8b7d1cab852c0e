"""One MiniCluster at a glance, read once: phase, pods, queues and numbers of jobs."""

from __future__ import annotations

from dataclasses import dataclass

from fluxstate_tui.errors import FluxstateError
from fluxstate_tui.kube.errors import Forbidden
from fluxstate_tui.model.minicluster import Derived, MiniCluster
from fluxstate_tui.model.phase import derive
from fluxstate_tui.model.queue import Queue
from fluxstate_tui.operations.context import OperationContext
from fluxstate_tui.operations.world.read_cluster import read_objects
from fluxstate_tui.operations.world.world import World


@dataclass(frozen=True, slots=True)
class Survey:
    """`queues` and `counts` (pending, running, inactive) are None if no broker can be asked.

    `forbidden` says that it is for want of a right.
    """

    minicluster: MiniCluster
    derived: Derived
    pods_running: int
    queues: tuple[Queue, ...] | None = None
    counts: dict[str, int] | None = None
    unreachable: str = ""
    forbidden: bool = False

    @property
    def why(self) -> str:
        """Why it is in this phase; or that we may not ask its broker, so that it is a guess."""
        return self.unreachable if self.forbidden else self.derived.reason

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
    now = context.clock.now() + context.cluster.clock_offset
    try:
        world = await World.open(context, minicluster.ref)
    except FluxstateError as error:
        derived = derive(minicluster, job, pods, None, (), now)
        forbidden = isinstance(error, Forbidden)
        return Survey(minicluster, derived, running, unreachable=error.message, forbidden=forbidden)
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
