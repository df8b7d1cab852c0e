"""A queue in which nothing runs and nothing can: its head waits for nodes that are down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.flux.queue import Node, Queue
from fluxstate_tui.flux.scheduler import Place, Pool, request_of_job, turn
from fluxstate_tui.formatting import plural

# Between two jobs nothing runs for a moment; what fits and waits for longer waits for no room.
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class StuckQueue:
    """The job at the head of the line, and how many wait behind it.

    `nodes` is how many it needs, 0 when it would fit the nodes that are `up`: something that
    `flux jobs` does not show keeps it waiting, a constraint or the scheduler. `since` is from when
    on that is an alarm (seconds since the epoch by the cluster's clock).
    """

    job: Job
    nodes: int
    up: int
    behind: int
    since: float

    def __str__(self) -> str:
        job = f"{f58(self.job.id)} {self.job.name}"
        behind = f"; {self.behind} wait behind it" if self.behind else ""
        if not self.nodes:
            return (
                f"Stuck: {job} waits though {plural(self.up, 'node')} are free{behind}: "
                "see what it requires. Cancel it (c) or hold it (h)."
            )
        are = "is" if self.up == 1 else "are"
        return (
            f"Stuck: {job} needs {plural(self.nodes, 'node')}, {self.up} {are} up{behind}. "
            f"Cancel it (c), hold it (h), or migrate to {self.nodes} nodes (m)."
        )


def find_stuck(
    jobs: Iterable[Job], queues: Iterable[Queue], nodes: Iterable[Node]
) -> StuckQueue | None:
    """None while a job runs, no queue is started, no core is free or nobody waits for one."""
    places = [
        Place(node.rank, node.host, node.cores, node.gpus, up=node.up and not node.drained)
        for node in nodes
    ]
    up = sum(place.up and place.cores > 0 for place in places)
    started = {queue.name for queue in queues if queue.started}
    if not up or not started:
        return None
    waiting, last_end = [], 0.0
    for job in jobs:
        if job.state.running:
            return None
        if job.state is JobState.SCHED and job.urgency > 0 and job.queue in started:
            waiting.append(job)
        elif job.state is JobState.INACTIVE:
            last_end = max(last_end, job.t_inactive or 0.0)
    if not waiting:
        return None
    head = min(waiting, key=turn)
    wanted, pool = request_of_job(head), Pool(places)
    begin = max(last_end, head.t_sched or head.t_submit)
    if pool.fits(wanted, up=True):
        return StuckQueue(head, 0, up, len(waiting) - 1, begin + PATIENCE_SECONDS)
    if not pool.fits(wanted):
        return None  # Flux is about to fail it
    smallest = max(place.cores for place in places)
    need = wanted.nodes or -(-wanted.slots // max(1, smallest // wanted.cores))
    return StuckQueue(head, need, up, len(waiting) - 1, begin)
