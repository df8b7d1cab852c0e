"""The job manager: jobs through the states of RFC 21, their eventlogs, the queue, the journal."""

from __future__ import annotations

import errno
import random
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from fluxstate_tui.flux import jobspec as jobspecs
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.job import JobState
from fluxstate_tui.flux.resources import make_alloc
from fluxstate_tui.sim.flux.agenda import Agenda
from fluxstate_tui.sim.flux.dependencies import Dependencies, begin_time
from fluxstate_tui.sim.flux.encoding import sign
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.flux.executor import SIGALRM, SIGTERM, Executor, TaskRunner
from fluxstate_tui.sim.flux.job import EXPEDITE, SimJob, priority_of
from fluxstate_tui.sim.flux.queues import Queues
from fluxstate_tui.sim.flux.scheduler import QUEUE_DEPTH, Pool, UnsatisfiableError, resource_summary

Listener = Callable[[SimJob, Event], None]


class JobManager:
    """All jobs of an instance. Every change goes through `post`, so nothing is unlogged."""

    def __init__(
        self,
        agenda: Agenda,
        pool: Pool,
        queues: Queues,
        runner: TaskRunner,
        rng: random.Random,
        owner_uid: int,
    ) -> None:
        self.agenda = agenda
        self.pool = pool
        self.queues = queues
        self.owner_uid = owner_uid
        self.jobs: dict[int, SimJob] = {}
        self.inactive: deque[int] = deque()
        self.active: dict[int, None] = {}
        self.running = 0
        self.events_posted = 0
        self.executor = Executor(
            agenda,
            runner,
            finish=self._finished,
            fail=lambda job, note: self.raise_exception(job, "exec", 0, note, kill=False),
            output=self._touched,
            rng=rng,
        )
        self.dependencies = Dependencies(self.jobs, self._dependency_met, self._dependency_failed)
        self.scheduler_online = False
        self._requests: list[tuple[int, int]] = []
        self._asked_already: frozenset[int] = frozenset()
        self._rng = rng
        self._listeners: list[Listener] = []
        self._touch_listeners: list[Callable[[SimJob], None]] = []
        self._queue_listeners: list[Callable[[], None]] = []
        self._pass_planned = False
        self._epoch_ms = 0
        self._last_id = 0

    # -- journal ---------------------------------------------------------------------------

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call it with every event. Returns how to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def on_touch(self, listener: Callable[[SimJob], None]) -> Callable[[], None]:
        """Call it whenever a job's events or output grew."""
        self._touch_listeners.append(listener)
        return lambda: (
            self._touch_listeners.remove(listener) if listener in self._touch_listeners else None
        )

    def on_queue_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call it whenever a queue was stopped, started, enabled or disabled."""
        self._queue_listeners.append(listener)
        return lambda: (
            self._queue_listeners.remove(listener) if listener in self._queue_listeners else None
        )

    def queue_changed(self) -> None:
        """A queue's state was changed."""
        self._asked_already = frozenset()
        for listener in tuple(self._queue_listeners):
            listener()

    def post(self, job: SimJob, name: str, context: dict[str, Any] | None = None) -> None:
        """Add an event to a job's log and tell everybody."""
        was_running = job.state.running
        event = Event(self.agenda.now(), name, context or {})
        job.post(event)
        self.events_posted += 1
        self.running += job.state.running - was_running
        for listener in tuple(self._listeners):
            listener(job, event)
        self._touched(job)

    def _touched(self, job: SimJob) -> None:
        for listener in tuple(self._touch_listeners):
            listener(job)

    # -- coming in -------------------------------------------------------------------------

    def begin_ids(self, started: float, max_jobid: int) -> None:
        """New ids count from here: after every id that was ever given (RFC 19)."""
        self._epoch_ms = int(started * 1000) - ((max_jobid >> 24) + 1 if max_jobid else 0)
        self._last_id = max_jobid

    def _new_id(self) -> int:
        stamp = max(1, int(self.agenda.now() * 1000) - self._epoch_ms)
        candidate = stamp << 24
        self._last_id = candidate if candidate > self._last_id else self._last_id + 1
        return self._last_id

    def submit(
        self,
        jobspec: dict[str, Any],
        *,
        urgency: int = 16,
        flags: int = 0,
        userid: int | None = None,
        environment: dict[str, str] | None = None,
    ) -> SimJob:
        """Take a new job. FluxError when it is refused; it then never existed."""
        if not 0 <= urgency <= EXPEDITE:
            raise FluxError(errno.EINVAL, "urgency range is [0:31]")
        named = jobspecs.queue(jobspec)
        if named or self.queues.names:
            jobspec = jobspecs.with_attribute(jobspec, "queue", named or self.queues.default)
        queue = self.queues.get(jobspecs.queue(jobspec))
        if not queue.enabled:
            where = f" to {queue.name}" if queue.name else ""
            reason = f"job submission{where} is disabled: {queue.disable_reason}"
            raise FluxError(errno.EINVAL, reason)
        wanted = self.dependencies.describe(jobspec)
        user = self.owner_uid if userid is None else userid
        job = SimJob(self._new_id(), jobspec, sign(jobspec, user, environment or {}))
        self.jobs[job.id] = job
        self.active[job.id] = None
        context = {"userid": user, "urgency": urgency, "flags": flags, "version": 1}
        self.post(job, "submit", context)
        self.agenda.after(self._about(0.012), lambda: self._validate(job, wanted))
        return job

    def _validate(self, job: SimJob, wanted: list[str]) -> None:
        if not job.active:
            return
        for description in wanted:
            self.post(job, "dependency-add", {"description": description})
        self._watch_dependencies(job, wanted)
        if job.active:
            self.post(job, "validate")
            self.agenda.after(self._about(0.012), lambda: self._check_dependencies(job))

    def _watch_dependencies(self, job: SimJob, wanted: list[str]) -> None:
        for description in wanted:
            when = begin_time(description)
            if when is None:
                self.dependencies.watch(job, description)
            else:
                self.agenda.at(when, partial(self._dependency_met, job, description))

    def _dependency_met(self, job: SimJob, description: str) -> None:
        if job.active and description in job.draft.dependencies:
            self.post(job, "dependency-remove", {"description": description})
            self._check_dependencies(job)

    def _dependency_failed(self, job: SimJob, note: str) -> None:
        self.raise_exception(job, "dependency", 0, note)

    def _check_dependencies(self, job: SimJob) -> None:
        if job.state is JobState.DEPEND and not job.draft.dependencies:
            self.post(job, "depend")
            self.prioritize(job)

    def prioritize(self, job: SimJob) -> None:
        """Give a job its priority and queue it for the scheduler (PRIORITY -> SCHED)."""
        self._forget_request(job)
        self.post(job, "priority", {"priority": priority_of(job.draft.urgency)})
        if job.draft.priority:
            insort(self._requests, _request(job))
        self.plan_pass()

    # -- scheduling ------------------------------------------------------------------------

    def plan_pass(self) -> None:
        """Look at the queue soon: something changed."""
        if not self._pass_planned:
            self._pass_planned = True
            self.agenda.after(self._about(0.003), self._pass)

    def _pass(self) -> None:
        """Allocate from the head of the queue; the first that has to wait stops it (FCFS)."""
        self._pass_planned = False
        if not self.scheduler_online:
            return
        for job in self.requests(QUEUE_DEPTH):
            if not self._feasible(job):
                continue
            shares = self.pool.allocate(*_asked(job))
            if shares is None:
                return
            self._allocated(job, shares)
            self.plan_pass()

    def requests(self, limit: int | None = None) -> list[SimJob]:
        """Jobs of started queues that want resources, the most urgent first."""
        found: list[SimJob] = []
        for _, job_id in self._requests:
            job = self.jobs[job_id]
            queue = self.queues.of_job(job.draft.queue)
            if queue is not None and (queue.started or job_id in self._asked_already):
                found.append(job)
                if limit is not None and len(found) == limit:
                    break
        return found

    def _feasible(self, job: SimJob) -> bool:
        try:
            self.pool.check(*_asked(job))
        except UnsatisfiableError as error:
            self._forget_request(job)
            context = {"type": "alloc", "severity": 0, "note": str(error), "userid": self.owner_uid}
            self.post(job, "exception", context)
            self._clean(job)
            return False
        return True

    def _allocated(self, job: SimJob, shares: list[Any]) -> None:
        self._forget_request(job)
        now = self.agenda.now()
        limit = job.draft.duration
        resources = make_alloc(
            shares,
            starttime=now,
            expiration=now + limit if limit else 0.0,
            nslots=jobspecs.counts(job.jobspec).nslots or None,
        )
        job.use_resources(resources)
        annotation = {"sched": {"resource_summary": resource_summary(resources)}}
        self.post(job, "alloc", {"annotations": annotation})
        self.agenda.after(self._about(0.006), lambda: self._start(job, now))
        if limit:
            self.agenda.at(now + limit, lambda: self.expire(job))

    def _start(self, job: SimJob, allocated: float) -> None:
        if job.state is JobState.RUN:
            self.post(job, "start")
            self.dependencies.changed(job)
            self.executor.start(job, allocated)

    def expire(self, job: SimJob) -> None:
        """The time limit is reached (unless it was moved meanwhile)."""
        expiration = job.draft.expiration
        if job.state is JobState.RUN and expiration and self.agenda.now() >= expiration:
            self.raise_exception(job, "timeout", 0, "resource allocation expired", signal=SIGALRM)

    # -- ending ----------------------------------------------------------------------------

    def raise_exception(
        self,
        job: SimJob,
        kind: str,
        severity: int,
        note: str,
        *,
        signal: int = SIGTERM,
        kill: bool = True,
    ) -> None:
        """Post an exception; severity 0 ends the job, whatever state it is in."""
        if not job.active:
            return
        was_running = job.state.running
        context = {"type": kind, "severity": severity, "note": note, "userid": self.owner_uid}
        self.post(job, "exception", context)
        if severity:
            return
        if not was_running:
            self._forget_request(job)
            self._clean(job)
        elif self.executor.live(job) is None:
            self.agenda.after(0.002, lambda: self._release(job))
        elif kill:
            self.executor.kill(job, signal)

    def _finished(self, job: SimJob, status: int, guest: dict[str, bytes]) -> None:
        job.finish_guest(guest)
        self.post(job, "finish", {"status": status})
        self.agenda.after(self._about(0.003), lambda: self._release(job))

    def _release(self, job: SimJob) -> None:
        if not job.active:
            return
        self.post(job, "release", {"ranks": "all", "final": True})
        if job.resources is not None:
            self.pool.release(job.resources)
        self.post(job, "free")
        self._clean(job)
        self.plan_pass()

    def _clean(self, job: SimJob) -> None:
        self.active.pop(job.id, None)
        self.inactive.appendleft(job.id)
        self.post(job, "clean")
        self.dependencies.changed(job)

    def _forget_request(self, job: SimJob) -> None:
        entry = _request(job)
        index = bisect_left(self._requests, entry)
        if index < len(self._requests) and self._requests[index] == entry:
            del self._requests[index]

    # -- coming back -----------------------------------------------------------------------

    def load(self, job: SimJob) -> None:
        """Take over a job of an archive or checkpoint (call `restarted` when all are there)."""
        self.jobs[job.id] = job
        if job.active:
            self.active[job.id] = None
            self.running += job.state.running
        else:
            self.inactive.append(job.id)

    def restarted(self, *, heeds_stop: bool = True) -> None:
        """What a restart does to loaded jobs (ARCHITECTURE.md#F20): queued ones queue again.

        One that does not heed a stopped queue gives them resources all the same.
        """
        self.inactive = deque(
            sorted(self.inactive, key=lambda i: self.jobs[i].draft.t_inactive or 0.0, reverse=True)
        )
        for job in [self.jobs[job_id] for job_id in self.active]:
            if job.state is JobState.SCHED:
                self.post(job, "flux-restart")
                self.prioritize(job)
            elif job.state is JobState.NEW:
                self._validate(job, self.dependencies.describe(job.jobspec))
            elif job.state is JobState.DEPEND:
                self._watch_dependencies(job, list(job.draft.dependencies))
                self._check_dependencies(job)
            elif job.state is JobState.PRIORITY:
                self.prioritize(job)
        if not heeds_stop:
            self._asked_already = frozenset(self.active)

    def fail_lost_jobs(self) -> list[SimJob]:
        """Jobs that ran when it was saved: their shells are gone, so they fail."""
        lost = [self.jobs[job_id] for job_id in self.active if self.jobs[job_id].state.running]
        for job in lost:
            if job.state is JobState.RUN:
                note = "failed to create guest ns: No such file or directory"
                context = {"type": "exec", "severity": 0, "userid": self.owner_uid, "note": note}
                self.post(job, "exception", context)
            self._release_lost(job)
        return lost

    def _release_lost(self, job: SimJob) -> None:
        self.post(job, "release", {"ranks": "all", "final": True})
        self.post(job, "free")
        self._clean(job)

    def _about(self, seconds: float) -> float:
        return seconds * self._rng.uniform(0.8, 1.3)


def _request(job: SimJob) -> tuple[int, int]:
    return (-(job.draft.priority or 0), job.id)


def _asked(job: SimJob) -> tuple[jobspecs.Counts, Any]:
    return jobspecs.counts(job.jobspec), jobspecs.attribute(job.jobspec, "constraints")
