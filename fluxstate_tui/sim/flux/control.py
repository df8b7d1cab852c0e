"""What people do to jobs and queues: cancel, raise, urgency, update, memo, stop, start, idle."""

from __future__ import annotations

import asyncio
import errno
import re
from collections.abc import Callable
from typing import Any

from fluxstate_tui.flux.job import JobState
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.flux.job import EXPEDITE, SimJob
from fluxstate_tui.sim.flux.jobmanager import JobManager

_EXCEPTION_TYPE = re.compile(r"\S+")


class Control:
    """Requests to the job manager, with the errors that flux-core 0.88 answers."""

    def __init__(self, manager: JobManager) -> None:
        self._manager = manager

    def _job(self, job_id: int, unknown: str = "unknown job") -> SimJob:
        job = self._manager.jobs.get(job_id)
        if job is None:
            raise FluxError(errno.ENOENT, unknown)
        if not job.active:
            raise FluxError(errno.EINVAL, "job is inactive")
        return job

    def raise_exception(self, job_id: int, kind: str, severity: int, note: str) -> None:
        """`job-manager.raise`; cancel is type `cancel`, severity 0."""
        if not 0 <= severity <= 7:
            raise FluxError(errno.EPROTO, "invalid exception severity")
        if not _EXCEPTION_TYPE.fullmatch(kind):
            raise FluxError(errno.EPROTO, "invalid exception type")
        self._manager.raise_exception(self._job(job_id, "unknown job id"), kind, severity, note)

    def raise_all(self, payload: dict[str, Any]) -> dict[str, int]:
        """`job-manager.raiseall`: by user and states; with dry_run it only counts."""
        states, userid = int(payload["states"]), int(payload["userid"])
        everybody = userid in (-1, 0xFFFFFFFF)
        jobs = [
            job
            for job in (self._manager.jobs[job_id] for job_id in self._manager.active)
            if job.state & states and (everybody or job.userid == userid)
        ]
        if not payload.get("dry_run"):
            for job in jobs:
                self._manager.raise_exception(
                    job, str(payload["type"]), int(payload["severity"]), payload.get("note", "")
                )
        return {"count": len(jobs), "errors": 0}

    def urgency(self, job_id: int, urgency: int) -> dict[str, int]:
        """`job-manager.urgency`: 0 = hold, 31 = expedite, -1 and -2 as symbols of the CLI."""
        urgency = {-1: 16, -2: EXPEDITE}.get(urgency, urgency)
        if not 0 <= urgency <= EXPEDITE:
            raise FluxError(errno.EINVAL, "urgency value is out of range")
        job = self._job(job_id)
        if job.state.running:
            text = "urgency cannot be changed once resources are allocated"
            raise FluxError(errno.EINVAL, text)
        before = job.draft.urgency
        waiting = job.state in (JobState.SCHED, JobState.PRIORITY)
        context = {"userid": self._manager.owner_uid, "urgency": urgency}
        self._manager.post(job, "urgency", context)
        if waiting:
            self._manager.prioritize(job)
        return {"old_urgency": before}

    def update(self, job_id: int, updates: dict[str, Any]) -> None:
        """`job-manager.update`: only the duration can be changed here."""
        job = self._job(job_id)
        for key in updates:
            if key not in ("attributes.system.duration", "attributes.system.job.name"):
                raise FluxError(errno.EINVAL, f"update of {key} not supported")
        running, waiting = job.state.running, job.state is JobState.SCHED
        self._manager.post(job, "jobspec-update", updates)
        duration = updates.get("attributes.system.duration")
        if running and duration is not None:
            self._extend(job, float(duration))
        elif waiting:
            self._manager.prioritize(job)

    def _extend(self, job: SimJob, duration: float) -> None:
        started = (job.resources or {})["execution"]["starttime"]
        expiration = started + duration if duration else 0.0
        self._manager.post(job, "resource-update", {"expiration": expiration})
        if expiration:
            self._manager.agenda.at(expiration, lambda: self._manager.expire(job))

    def memo(self, job_id: int, memo: dict[str, Any]) -> None:
        """`job-manager.memo`: null deletes a key."""
        self._manager.post(self._job(job_id), "memo", memo)

    def kill(self, job_id: int, signal: int) -> None:
        """`job-exec.kill` by `flux job kill`."""
        job = self._job(job_id)
        if job.state is not JobState.RUN:
            raise FluxError(errno.EINVAL, "job is not running")
        self._manager.executor.kill(job, signal)

    def queue_start(self, payload: dict[str, Any]) -> None:
        """`job-manager.queue-start`: start or stop scheduling."""
        queues = self._manager.queues.select(payload.get("name"), bool(payload.get("all")))
        for queue in queues:
            queue.started = bool(payload["start"])
            queue.stop_reason = "" if queue.started else str(payload.get("reason") or "")
        self._manager.plan_pass()
        self._manager.queue_changed()

    def queue_enable(self, payload: dict[str, Any]) -> None:
        """`job-manager.queue-enable`: take new jobs or refuse them."""
        enable = bool(payload["enable"])
        if not enable and not payload.get("reason"):
            raise FluxError(errno.EINVAL, "reason is required for disable")
        queues = self._manager.queues.select(payload.get("name"), bool(payload.get("all")))
        for queue in queues:
            queue.enabled = enable
            queue.disable_reason = "" if enable else str(payload["reason"])
        self._manager.queue_changed()

    def queue_status(self, name: str | None) -> dict[str, Any]:
        """`job-manager.queue-status` of one queue."""
        queues = self._manager.queues
        status = queues.get(name or ("" if not queues.names else queues.default)).status()
        if not self._manager.scheduler_online:
            return {**status, "start": False, "stop_reason": "Scheduler is offline"}
        return status

    def alloc_query(self) -> dict[str, int]:
        """`job-manager.alloc-query`."""
        requests = len(self._manager.requests()) if self._manager.scheduler_online else 0
        pending = min(requests, 8)
        return {
            "queue_length": requests - pending,
            "alloc_pending": pending,
            "running": self._manager.running,
        }

    async def idle(self) -> int:
        """Wait until nothing runs and nothing wants to; the number of pending jobs left."""
        await self._until(self._is_idle)
        return sum(self._manager.jobs[i].state.pending for i in self._manager.active)

    def _is_idle(self) -> bool:
        manager = self._manager
        if manager.running or manager.requests(1):
            return False
        return not any(_in_transit(manager.jobs[job_id]) for job_id in manager.active)

    async def drain(self) -> None:
        """Wait until there are no active jobs at all."""
        await self._until(lambda: not self._manager.active)

    async def _until(self, condition: Callable[[], bool]) -> None:
        changed = asyncio.Event()
        stop_jobs = self._manager.on_touch(lambda _job: changed.set())
        stop_queues = self._manager.on_queue_change(changed.set)
        try:
            while not condition():
                changed.clear()
                await changed.wait()
        finally:
            stop_jobs()
            stop_queues()


def _in_transit(job: SimJob) -> bool:
    """On its way to the queue, so that it is not yet seen as a request."""
    return job.state in (JobState.NEW, JobState.PRIORITY) or (
        job.state is JobState.DEPEND and not job.draft.dependencies
    )
