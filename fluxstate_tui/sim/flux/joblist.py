"""The job-list service: what `flux jobs` asks for (RPC job-list.list, flux-core 0.88)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fluxstate_tui.flux import hostlist, idset
from fluxstate_tui.flux.job import Job, JobResult, JobState
from fluxstate_tui.sim.flux.job import SimJob
from fluxstate_tui.sim.flux.jobmanager import JobManager

ATTRS = [
    "userid", "urgency", "priority", "t_submit", "t_depend", "t_priority", "t_sched", "t_run",
    "t_cleanup", "t_inactive", "state", "name", "cwd", "queue", "project", "bank", "ntasks",
    "ncores", "duration", "nnodes", "ranks", "nodelist", "success", "exception_occurred",
    "exception_type", "exception_severity", "exception_note", "result", "expiration",
    "annotations", "waitstatus", "dependencies", "all",
]  # fmt: skip

Match = Callable[[Job], bool]


_BEFORE_STATE = (
    "priority", "t_submit", "t_depend", "t_priority", "t_sched", "t_run", "t_cleanup",
    "t_inactive",
)  # fmt: skip
_TEXTS = ("name", "cwd", "queue", "project", "bank", "ntasks", "ncores")


def to_rpc(job: Job) -> dict[str, Any]:
    """One job with all attributes, as the RPC writes it: numbers for states, no empty values."""
    answer: dict[str, Any] = {"id": job.id, "userid": job.userid, "urgency": job.urgency}
    times = {name: getattr(job, name) for name in _BEFORE_STATE}
    answer.update({name: value for name, value in times.items() if value is not None})
    answer["state"] = int(job.state)
    answer.update({name: value for name in _TEXTS if (value := getattr(job, name))})
    answer["duration"] = job.duration
    places = ("nnodes", "ranks", "nodelist")
    answer.update({name: value for name in places if (value := getattr(job, name))})
    answer.update(_outcome(job))
    if job.nodelist:
        answer["expiration"] = job.expiration or 0.0
    if job.annotations:
        answer["annotations"] = job.annotations
    if job.waitstatus is not None:
        answer["waitstatus"] = job.waitstatus
    if job.dependencies:
        answer["dependencies"] = list(job.dependencies)
    return answer


def _outcome(job: Job) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    if job.result is not None:
        answer["success"] = job.result is JobResult.COMPLETED
        answer["result"] = int(job.result)
    if job.state is not JobState.INACTIVE:
        return answer
    answer["exception_occurred"] = job.exception is not None
    if job.exception is not None:
        answer["exception_type"] = job.exception.type
        answer["exception_severity"] = job.exception.severity
        answer["exception_note"] = job.exception.note
    return answer


class JobList:
    """Answers from the job manager's jobs: pending, running, then inactive, newest first."""

    def __init__(self, manager: JobManager) -> None:
        self._manager = manager
        self.ready_at = 0.0

    def _ready(self) -> bool:
        """Right after a restart it is still reading the journal and knows no job."""
        return self._manager.agenda.now() >= self.ready_at

    def select(self, payload: dict[str, Any]) -> dict[str, Any]:
        """`job-list.list`: max_entries (0 = all), attrs, since, constraint (RFC 31)."""
        limit = int(payload.get("max_entries", 0))
        attrs = payload.get("attrs", ["all"])
        match = constraint(payload.get("constraint") or {"and": []})
        since = float(payload.get("since", 0.0))
        found: list[dict[str, Any]] = []
        for job in self._ordered(since):
            if match(job):
                found.append(_pick(to_rpc(job), attrs))
                if limit and len(found) >= limit:
                    break
        return {"jobs": found}

    def _ordered(self, since: float) -> Iterator[Job]:
        if not self._ready():
            return
        manager = self._manager
        active = [manager.jobs[job_id].freeze() for job_id in manager.active]
        pending = [job for job in active if job.state.pending]
        running = [job for job in active if job.state.running]
        pending.sort(key=lambda job: (-_rank(job), job.id))
        running.sort(key=lambda job: -(job.t_run or 0.0))
        yield from pending
        yield from running
        for job_id in manager.inactive:
            job = manager.jobs[job_id].freeze()
            if since and (job.t_inactive or 0.0) <= since:
                return
            yield job

    def one(self, job_id: int, attrs: list[str]) -> dict[str, Any] | None:
        """`job-list.list-id`, None when there is no such job."""
        job = self._manager.jobs.get(job_id)
        return None if job is None else {"job": _pick(to_rpc(job.freeze()), attrs)}

    def stats(self) -> dict[str, Any]:
        """`job-list.job-stats`."""
        jobs = list(self._manager.jobs.values()) if self._ready() else []
        return {**_counts(jobs), "queues": self._queue_stats(jobs)}

    def _queue_stats(self, jobs: list[SimJob]) -> list[dict[str, Any]]:
        return [
            {"name": name, **_counts([job for job in jobs if job.draft.queue == name])}
            for name in self._manager.queues.names
        ]


def _counts(jobs: list[SimJob]) -> dict[str, Any]:
    states = dict.fromkeys(("depend", "priority", "sched", "run", "cleanup", "inactive"), 0)
    results = dict.fromkeys(JobResult, 0)
    for job in jobs:
        name = job.state.name.lower()
        states[name] = states.get(name, 0) + 1
        result = job.freeze().result
        if result is not None:
            results[result] += 1
    states.pop("new", None)
    return {
        "job_states": {**states, "total": len(jobs)},
        "successful": results[JobResult.COMPLETED],
        "failed": results[JobResult.FAILED],
        "canceled": results[JobResult.CANCELED],
        "timeout": results[JobResult.TIMEOUT],
        "inactive_purged": 0,
    }


def _rank(job: Job) -> int:
    return -1 if job.priority is None else job.priority


def _pick(job: dict[str, Any], attrs: list[str]) -> dict[str, Any]:
    if "all" in attrs:
        return job
    wanted = {"id", *attrs}
    return {name: value for name, value in job.items() if name in wanted}


def constraint(value: dict[str, Any]) -> Match:
    """A constraint object (RFC 31) as a function. ValueError for an operator it does not know."""
    if not value:
        return lambda job: True
    if len(value) != 1:
        raise ValueError("constraint must contain only one element")
    ((operator, values),) = value.items()
    if operator in ("and", "or", "not"):
        return _combined(operator, [constraint(item) for item in values])
    if operator not in _OPERATORS:
        raise ValueError(f"unknown constraint operator: {operator}")
    return _OPERATORS[operator](values)


def _combined(operator: str, matches: list[Match]) -> Match:
    if operator == "and":
        return lambda job: all(match(job) for match in matches)
    if operator == "or":
        return lambda job: not matches or any(match(job) for match in matches)
    return lambda job: not all(match(job) for match in matches)


def _mask(values: list[Any], kind: type[JobState] | type[JobResult]) -> int:
    mask = 0
    for value in values:
        if isinstance(value, int):
            mask |= value
        elif str(value).lower() in _VIRTUAL:
            mask |= _VIRTUAL[str(value).lower()]
        else:
            mask |= kind[str(value).upper()]
    return mask


_VIRTUAL = {"pending": 2 | 4 | 8, "running": 16 | 32, "active": 1 | 2 | 4 | 8 | 16 | 32}


def _states(values: list[Any]) -> Match:
    mask = _mask(values, JobState)
    return lambda job: bool(job.state & mask)


def _results(values: list[Any]) -> Match:
    mask = _mask(values, JobResult)
    return lambda job: job.result is not None and bool(job.result & mask)


def _times(name: str) -> Callable[[list[Any]], Match]:
    comparisons: dict[str, Callable[[float, float], bool]] = {
        ">=": float.__ge__, "<=": float.__le__, ">": float.__gt__, "<": float.__lt__,
    }  # fmt: skip

    def build(values: list[Any]) -> Match:
        text = str(values[0])
        sign = next(sign for sign in comparisons if text.startswith(sign))
        bound = float(text[len(sign) :])

        def match(job: Job) -> bool:
            value = getattr(job, name)
            return value is not None and comparisons[sign](float(value), bound)

        return match

    return build


def _ranks(values: list[Any]) -> Match:
    wanted = {rank for text in values for rank in idset.decode(str(text))}
    return lambda job: bool(job.ranks) and bool(wanted & set(idset.decode(job.ranks)))


def _hosts(values: list[Any]) -> Match:
    wanted = {host for text in values for host in hostlist.expand(str(text))}
    return lambda job: bool(job.nodelist) and bool(wanted & set(hostlist.expand(job.nodelist)))


_OPERATORS: dict[str, Callable[[list[Any]], Match]] = {
    "userid": lambda values: lambda job: -1 in values or job.userid in values,
    "name": lambda values: lambda job: job.name in values,
    "queue": lambda values: lambda job: job.queue in values,
    "states": _states,
    "results": _results,
    "ranks": _ranks,
    "hostlist": _hosts,
    "t_submit": _times("t_submit"),
    "t_run": _times("t_run"),
    "t_cleanup": _times("t_cleanup"),
    "t_inactive": _times("t_inactive"),
}
