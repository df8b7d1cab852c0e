"""The columns of a job table: live queue and opened archive show jobs in the same way."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.flux.job_json import dependency_words
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.formatting import duration, moment
from fluxstate_tui.live.filters import FilterField
from fluxstate_tui.live.groups import Group
from fluxstate_tui.tui.widgets.grid import Column
from fluxstate_tui.tui.widgets.job_words import job_word


class Activity:
    """The natural order of jobs: running, waiting, over, from the last to the first.

    Job tables are shown in reverse, so that the newest stand on top of each group. `groups` does
    the same for a whole snapshot without a call per job.
    """

    RANK: ClassVar[dict[int, int]] = {state.value: 1 for state in JobState} | {
        JobState.RUN.value: 2,
        JobState.CLEANUP.value: 2,
        JobState.INACTIVE.value: 0,
    }

    def __call__(self, job: Job) -> int:
        """2 for a running job, 1 for a waiting one, 0 for one that is over."""
        return self.RANK[job.state]

    def groups(self, jobs: Mapping[int, Job]) -> dict[int, list[int]]:
        """The ids of many jobs by their rank."""
        found: dict[int, list[int]] = {0: [], 1: [], 2: []}
        rank, over, inactive = self.RANK, found[0], JobState.INACTIVE
        for key, job in jobs.items():
            if job.state is inactive:
                over.append(key)
            else:
                found[rank[job.state]].append(key)
        return found


activity = Activity()


def user_text(job: Job) -> str:
    """The user; Flux tells only the uid, and 0 has one name everywhere."""
    return "root" if job.userid == 0 else str(job.userid)


def ending(job: Job) -> str:
    """How an inactive job ended beyond its result: exit code, signal or exception."""
    if job.exception is not None:
        note = f": {job.exception.note}" if job.exception.note else ""
        return f"{job.exception.type}{note}"
    if job.waitstatus:
        code, number = job.waitstatus >> 8, job.waitstatus & 0x7F
        if number:
            return _signal_name(number)
        return _signal_name(code - 128) if code > 128 else f"exit {code}"
    return ""


def info_text(job: Job, stopped: bool = False) -> str:
    """How it ended and where it ran; where it runs; or what it waits for: its queue, if that is
    `stopped`.
    """
    if job.state is JobState.INACTIVE:
        return " · ".join(part for part in (ending(job), job.nodelist) if part)
    if job.state.running:
        return job.nodelist
    if job.dependencies:
        return "depends:" + ",".join(map(dependency_words, job.dependencies))
    if job.urgency == 0:
        return "held"
    if stopped and job.state is JobState.SCHED:
        return "queue is stopped"
    return _annotated(job) or ("waits for resources" if job.state is JobState.SCHED else "")


def time_text(job: Job, now: float) -> str:
    """How long it runs or ran, `-` before that."""
    seconds = job.runtime(now)
    return "-" if seconds is None else duration(seconds)


def state_search_text(job: Job) -> str:
    """What `state:` finds: the status, and the words for several of them."""
    if job.state.pending:
        return f"{job.status} pending active"
    if job.state.running:
        return f"{job.status} running active"
    return f"{job.status} inactive done"


def _annotated(job: Job) -> str:
    sched: Any = job.annotations.get("sched")
    if isinstance(sched, dict):
        reason = sched.get("reason_pending") or sched.get("resource_summary")
        return str(reason) if reason else ""
    return ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _runtime_now(job: Job) -> float:
    """Seconds for sorting: by the start for those that run, so that the order stays put."""
    if job.t_run is None:
        return -1.0
    return job.t_cleanup - job.t_run if job.t_cleanup is not None else 1e12 - job.t_run


JOB_COLUMNS: tuple[Column[Job], ...] = (
    Column("jobid", "JOBID", 10, lambda j, _: f58(j.id), "left", lambda _: "accent", grow=3),
    Column("user", "USER", 5, lambda j, _: user_text(j), sort=lambda j: j.userid, rank=6),
    Column(
        "name",
        "NAME",
        13,
        lambda j, _: j.name,
        tone=lambda _: "strong",
        sort=lambda j: j.name,
        flex=1,
        rank=1,
    ),
    Column(
        "state",
        "ST",
        11,
        lambda j, _: str(job_word(j)),
        tone=lambda j: job_word(j).tone,
        sort=lambda j: (j.state, j.result or 0),
    ),
    Column(
        "tasks",
        "NTASKS",
        6,
        lambda j, _: _number(j.ntasks),
        "right",
        lambda _: "plain",
        lambda j: j.ntasks or 0,
        rank=4,
    ),
    Column(
        "nodes",
        "NNODES",
        6,
        lambda j, _: _number(j.nnodes),
        "right",
        lambda _: "plain",
        lambda j: j.nnodes or 0,
        rank=5,
    ),
    Column(
        "time",
        "TIME",
        6,
        time_text,
        "right",
        lambda _: "plain",
        _runtime_now,
        rank=3,
        ticks=lambda j: j.state.running,
    ),
    Column(
        "info",
        "INFO",
        14,
        lambda j, _: info_text(j),
        tone=lambda _: "off",
        sort=info_text,
        flex=3,
        rank=2,
        grow=5,  # "waits for resources" in full, at 80 columns too
        tail=lambda j: j.state.running,
    ),
)

JOB_FIELDS: dict[str, FilterField[Job]] = {
    field.name: field
    for field in (
        FilterField[Job]("jobid", text=lambda j: f58(j.id)),
        FilterField[Job]("user", text=user_text),
        FilterField[Job]("name", text=lambda j: j.name),
        FilterField[Job]("state", text=state_search_text),
        FilterField[Job]("info", text=info_text),
        FilterField[Job]("queue", text=lambda j: j.queue, in_plain_text=False),
        FilterField[Job]("host", text=lambda j: j.nodelist, in_plain_text=False),
        FilterField[Job]("tasks", number=lambda j: j.ntasks),
        FilterField[Job]("nodes", number=lambda j: j.nnodes),
        FilterField[Job]("cores", number=lambda j: j.ncores),
        FilterField[Job]("urgency", number=lambda j: j.urgency),
        FilterField[Job]("limit", number=lambda j: j.duration),
    )
}


def _moment(timestamp: float | None) -> str:
    return "-" if timestamp is None else moment(timestamp)


# What somebody chose is dropped after what is shown to everybody anyway.
MORE_JOB_COLUMNS: tuple[Column[Job], ...] = (
    Column("queue", "QUEUE", 8, lambda j, _: j.queue, sort=lambda j: j.queue, rank=3, extra=True),
    Column(
        "cores",
        "NCORES",
        6,
        lambda j, _: _number(j.ncores),
        "right",
        sort=lambda j: j.ncores or 0,
        rank=3,
        extra=True,
    ),
    Column(
        "urgency",
        "URG",
        3,
        lambda j, _: str(j.urgency),
        "right",
        None,
        lambda j: j.urgency,
        rank=3,
        extra=True,
    ),
    Column(
        "limit",
        "LIMIT",
        6,
        lambda j, _: duration(j.duration) if j.duration else "-",
        "right",
        sort=lambda j: j.duration,
        rank=3,
        extra=True,
    ),
    Column("cwd", "CWD", 12, lambda j, _: j.cwd, sort=lambda j: j.cwd, rank=3, extra=True),
    Column(
        "submitted",
        "SUBMITTED",
        19,
        lambda j, _: _moment(j.t_submit),
        sort=lambda j: j.t_submit or 0.0,
        rank=3,
        extra=True,
    ),
    Column(
        "started",
        "STARTED",
        19,
        lambda j, _: _moment(j.t_run),
        sort=lambda j: j.t_run or 0.0,
        rank=3,
        extra=True,
    ),
    Column(
        "ended",
        "ENDED",
        19,
        lambda j, _: _moment(j.t_cleanup),
        sort=lambda j: j.t_cleanup or 0.0,
        rank=3,
        extra=True,
    ),
    Column("ranks", "RANKS", 8, lambda j, _: j.ranks, sort=lambda j: j.ranks, rank=3, extra=True),
)


# The columns of jobs counted in groups, and what jobs can be grouped by.

# By the name of the filter field, so that a group can be opened as a filter.
GROUPINGS: dict[str, Callable[[Job], str]] = {
    "state": lambda job: job.status,
    "user": user_text,
    "queue": lambda job: job.queue,
    "name": lambda job: job.name,
}


def _count(key: str, title: str, of: Callable[[Group], int], tone: str) -> Column[Group]:
    return Column(
        key,
        title,
        6,
        lambda group, _: str(of(group)),
        "right",
        lambda group: tone if of(group) else "off",
        of,
    )


GROUP_COLUMNS: tuple[Column[Group], ...] = (
    Column(
        "group",
        "GROUP",
        16,
        lambda group, _: group.name or "(none)",
        tone=lambda _: "strong",
        sort=lambda group: group.name,
        flex=1,
    ),
    _count("jobs", "JOBS", lambda group: group.total, "plain"),
    _count("pend", "PEND", lambda group: group.counts.pending, "wait"),
    _count("run", "RUN", lambda group: group.counts.running, "busy"),
    _count("done", "DONE", lambda group: group.counts.done, "ok"),
    _count("fail", "FAIL", lambda group: group.counts.failed, "bad"),
)

GROUP_FIELDS: dict[str, FilterField[Group]] = {
    field.name: field
    for field in (
        FilterField[Group]("group", text=lambda group: group.name),
        FilterField[Group]("jobs", number=lambda group: group.total),
        FilterField[Group]("fail", number=lambda group: group.counts.failed),
    )
}
