"""A queue with free cores, nothing running and jobs waiting: whether that is an alarm, and why."""

from __future__ import annotations

from msgspec.structs import replace

from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.flux.queue import Node, Queue
from fluxstate_tui.flux.stuck import PATIENCE_SECONDS, find_stuck

QUEUE = (Queue("", enabled=True, started=True),)
NODES = tuple(Node(rank, f"n{rank}", 4, up=rank < 2) for rank in range(4))
T = 1_795_000_000.0


def waiting(number: int, nodes: int | None = None, **fields: object) -> Job:
    job = Job(number << 24, 0, JobState.SCHED, name=f"j{number}", t_submit=T, t_sched=T + 1)
    cores = nodes or 1
    return replace(job, **{"ntasks": cores, "ncores": cores, "nnodes": nodes, **fields})


def test_a_job_for_nodes_that_are_down_blocks_all_behind_it() -> None:
    jobs = [waiting(1, 4), waiting(2, 6), waiting(3), waiting(4), waiting(5)]
    found = find_stuck(jobs, QUEUE, NODES)
    assert found is not None
    assert (found.nodes, found.up, found.behind, found.since) == (4, 2, 4, T + 1)
    assert str(found).startswith(
        f"Stuck: {f58(1 << 24)} j1 needs 4 nodes, 2 are up; 4 wait behind it."
    )
    for key in ("(c)", "(h)", "(m)"):
        assert key in str(found)


def test_the_most_urgent_job_is_the_head_and_a_held_one_is_none() -> None:
    jobs = [waiting(1), waiting(2, 3, urgency=20), waiting(3, 4, urgency=0)]
    found = find_stuck(jobs, QUEUE, NODES)
    assert found is not None
    assert (found.job.name, found.nodes, found.behind) == ("j2", 3, 1)


def test_more_cores_than_are_up_are_counted_in_nodes() -> None:
    found = find_stuck([waiting(1, ncores=12, ntasks=12)], QUEUE, NODES)
    assert found is not None
    assert found.nodes == 3


def test_while_a_job_runs_or_the_queue_is_stopped_or_all_is_held_nothing_is_stuck() -> None:
    wide = waiting(1, 4)
    running = Job(9 << 24, 0, JobState.RUN, t_run=T)
    assert find_stuck([wide, running], QUEUE, NODES) is None
    assert find_stuck([wide], [Queue("", enabled=True, started=False)], NODES) is None
    assert find_stuck([replace(wide, urgency=0)], QUEUE, NODES) is None
    assert find_stuck([replace(wide, state=JobState.DEPEND)], QUEUE, NODES) is None
    assert find_stuck([], QUEUE, NODES) is None
    assert find_stuck([wide], QUEUE, ()) is None


def test_what_flux_is_about_to_fail_is_not_stuck() -> None:
    assert find_stuck([waiting(1, 9)], QUEUE, NODES) is None


def test_what_would_fit_is_an_alarm_only_when_it_waits_for_long() -> None:
    over = Job(8 << 24, 0, JobState.INACTIVE, t_inactive=T + 50)
    found = find_stuck([waiting(1), over], QUEUE, NODES)
    assert found is not None
    assert (found.nodes, found.since) == (0, T + 50 + PATIENCE_SECONDS)
    assert "see what it requires" in str(found)
