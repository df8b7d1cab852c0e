"""Why a job waits, in one sentence: the first thing that somebody asks who looks at one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fluxstate_tui.model.job import Job, JobState
from fluxstate_tui.model.jobid import parse_job_id
from fluxstate_tui.store.outlook import run_times, until_idle
from fluxstate_tui.widgets.job_words import job_word
from fluxstate_tui.widgets.words import age, plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fluxstate_tui.store.picture import ClusterPicture

MOST_IN_LINE: Final = 20_000
"""With more jobs than that in the queue, nobody's place in it is worked out every second."""


def waiting_text(picture: ClusterPicture, job: Job, now: float) -> str:
    """What it waits for as far as we know; '' if it does not wait. `now` is the cluster's time."""
    if not job.state.pending:
        return ""
    if job.urgency == 0:
        return "it is held: h releases it"
    if job.dependencies:
        return "for " + ", ".join(_dependency(picture, text, now) for text in job.dependencies)
    if job.state is not JobState.SCHED:
        return "for its priority"
    queue = next((queue for queue in picture.queues if queue.name == job.queue), None)
    if queue is not None and not queue.started:
        why = f" ({queue.stop_reason})" if queue.stop_reason else ""
        return f"the queue is stopped{why}: nothing new starts"
    return f"{_place_in_line(picture, job, now)}{_cores(picture, job)}"


def _dependency(picture: ClusterPicture, text: str, now: float) -> str:
    """`after-success=ƒ2Kf9, which is ▶ RUN for 3.000m`."""
    try:
        other = picture.jobs.get(parse_job_id(text.partition("=")[2]))
    except ValueError:
        return text
    if other is None:
        return text
    seconds = other.runtime(now)
    since = f" for {age(seconds)}" if seconds is not None and other.state.running else ""
    return f"{text}, which is {job_word(other)}{since}"


def _place_in_line(picture: ClusterPicture, job: Job, now: float) -> str:
    """By priority, then by age, as Flux's schedulers go through a queue."""
    active = picture.active.values()
    if len(active) > MOST_IN_LINE:
        return f"one of {plural(picture.counts.pending, 'job')} that wait"
    ready = (JobState.SCHED, JobState.RUN, JobState.CLEANUP)
    others = [one for one in active if one.state in ready and one.queue == job.queue]
    waiting = [one for one in others if one.state.pending and one.urgency > 0]
    before = [one for one in waiting if _turn(one) < _turn(job)]
    if not before:
        said = "it is the next in line"
    else:
        said = f"{plural(len(before), 'job')} of {len(waiting)} in line come before it"
    running = [one for one in others if one.state.running]
    return said + _latest(picture, [*before, *running], now)


def _turn(job: Job) -> tuple[int, int]:
    return -(job.priority if job.priority is not None else job.urgency), job.id


def _latest(picture: ClusterPicture, ahead: Iterable[Job], now: float) -> str:
    """When all that goes before it will be over, if that is known of every job."""
    found = until_idle(ahead, run_times(picture.jobs.values()), _up(picture), now)
    if found.unknown or not (found.limited or found.guessed):
        return ""
    by = "time limits" if not found.guessed else "the history of jobs of the same name"
    return f"; what goes before it is over in about {age(found.seconds)} by {by}"


def _cores(picture: ClusterPicture, job: Job) -> str:
    wanted, there = job.ncores, _up(picture)
    if not wanted or not there:
        return ""
    if wanted > there:
        return f"; it asks for {plural(wanted, 'core')}, and all nodes that are up have {there}"
    busy = sum(one.ncores or 0 for one in picture.active.values() if one.state.running)
    free = max(0, there - busy)
    return f"; it asks for {plural(wanted, 'core')}, {free} of {there} are free"


def _up(picture: ClusterPicture) -> int:
    return sum(node.cores for node in picture.nodes if node.up and not node.drained)
