"""The one fold from a job's events to the job (RFC 21; flux-core 0.88 job-manager and job-list).

The archive reader, the live journal and the simulation all use it. It is safe to apply events to
a snapshot that already contains them: a state never moves but along RFC 21's transitions, and the
events that follow an old one set right what the old one had set back.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from fluxstate_tui.flux import jobspec as jobspecs
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.job import Job, JobException, JobResult, JobState
from fluxstate_tui.flux.resources import ResourceSet

Context = dict[str, Any]

_NEW, _DEPEND, _PRIORITY = JobState.NEW, JobState.DEPEND, JobState.PRIORITY
_SCHED, _RUN, _CLEANUP, _INACTIVE = (
    JobState.SCHED,
    JobState.RUN,
    JobState.CLEANUP,
    JobState.INACTIVE,
)
_RESULTS = {"cancel": JobResult.CANCELED, "timeout": JobResult.TIMEOUT}

# Which field a jobspec-update changes, with the check of its value.
_UPDATES: Final[dict[str, tuple[str, Any]]] = {
    "attributes.system.duration": ("duration", (int, float)),
    "attributes.system.queue": ("queue", str),
    "attributes.system.job.name": ("name", str),
    "attributes.system.cwd": ("cwd", str),
    "attributes.system.project": ("project", str),
    "attributes.system.bank": ("bank", str),
}


_CONSTRAINTS: Final = "attributes.system.constraints"


class JobBuilder:
    """A job while its events are applied. `freeze` gives the immutable Job at any time."""

    __slots__ = (
        "_jobspec",
        "_ntasks_per",
        "annotations",
        "bank",
        "cwd",
        "dependencies",
        "duration",
        "exception",
        "expiration",
        "id",
        "name",
        "ncores",
        "nnodes",
        "nodelist",
        "ntasks",
        "priority",
        "project",
        "queue",
        "ranks",
        "state",
        "success",
        "t_cleanup",
        "t_depend",
        "t_inactive",
        "t_priority",
        "t_run",
        "t_sched",
        "t_submit",
        "urgency",
        "userid",
        "waitstatus",
    )

    def __init__(self, job_id: int) -> None:
        self.id = job_id
        self.userid = -1
        self.state = _NEW
        self.name = self.cwd = self.queue = self.project = self.bank = ""
        self.ranks = self.nodelist = ""
        self.urgency = 16
        self.priority: int | None = None
        self.ntasks: int | None = None
        self.ncores: int | None = None
        self.nnodes: int | None = None
        self.duration = self.t_submit = 0.0
        self.expiration: float | None = None
        self.t_depend: float | None = None
        self.t_priority: float | None = None
        self.t_sched: float | None = None
        self.t_run: float | None = None
        self.t_cleanup: float | None = None
        self.t_inactive: float | None = None
        self.waitstatus: int | None = None
        self.success = False
        self.exception: JobException | None = None
        self.dependencies: tuple[str, ...] = ()
        self.annotations: dict[str, Any] = _NO_ANNOTATIONS
        self._ntasks_per: tuple[str, int] | None = None
        self._jobspec: dict[str, Any] | None = None

    @classmethod
    def of(cls, job: Job) -> JobBuilder:
        """Go on from a snapshot, such as the answer of the job-list RPC."""
        draft = cls(job.id)
        for field in Job.__struct_fields__:
            if field != "result":
                setattr(draft, field, getattr(job, field))
        if job.result is not None:
            draft.success = job.result is JobResult.COMPLETED
        else:
            draft.success = job.waitstatus == 0 and not draft._failed()
        return draft

    def apply(
        self,
        event: Event,
        jobspec: dict[str, Any] | None = None,
        R: dict[str, Any] | None = None,  # noqa: N803 - Flux's own name for it (RFC 20)
    ) -> bool:
        """Apply one event; the journal brings the jobspec with `submit` and R with `alloc`.

        False means that RFC 21 has no such transition in the job's state: an old event on a
        snapshot, or an eventlog out of order. Raises ValueError when the context is not what
        flux-core writes for this event; the job is then as it was before.
        """
        if jobspec is not None:
            self.use_jobspec(jobspec)
        if R is not None:
            self.use_resources(ResourceSet.parse(R))
        handler = HANDLERS.get(event.name)
        return True if handler is None else handler(self, event.timestamp, event.context)

    def use_jobspec(self, jobspec: dict[str, Any]) -> None:
        """Take name, counts and attributes from a jobspec."""
        self._jobspec = jobspec
        self.use_asked(jobspecs.asked(jobspec))

    def use_asked(self, asked: jobspecs.Asked) -> None:
        """Take name, counts and attributes as already read from a jobspec."""
        self.name, self.cwd, self.queue = asked.name, asked.cwd, asked.queue
        self.project, self.bank, self.duration = asked.project, asked.bank, asked.duration
        if not self.ranks:
            self._use_counts(asked.counts)

    def use_resources(self, resources: ResourceSet) -> None:
        """Take what was allocated: it decides over what was asked for."""
        self.ranks = resources.ranks
        self.nodelist = resources.nodelist
        self.nnodes = resources.nnodes
        self.ncores = resources.ncores
        self.expiration = resources.expiration or None
        if self._ntasks_per is not None:
            self.ntasks = resources.tasks(self._ntasks_per)

    @property
    def jobspec(self) -> dict[str, Any] | None:
        """With its updates of resources, tasks and constraints; None if it was never given."""
        return self._jobspec

    def freeze(self) -> Job:
        """The job as it is now."""
        return Job(
            id=self.id,
            userid=self.userid,
            state=self.state,
            name=self.name,
            urgency=self.urgency,
            priority=self.priority,
            cwd=self.cwd,
            queue=self.queue,
            project=self.project,
            bank=self.bank,
            ntasks=self.ntasks,
            ncores=self.ncores,
            nnodes=self.nnodes,
            duration=self.duration,
            ranks=self.ranks,
            nodelist=self.nodelist,
            expiration=self.expiration,
            t_submit=self.t_submit,
            t_depend=self.t_depend,
            t_priority=self.t_priority,
            t_sched=self.t_sched,
            t_run=self.t_run,
            t_cleanup=self.t_cleanup,
            t_inactive=self.t_inactive,
            result=self._result() if self.state is _INACTIVE else None,
            waitstatus=self.waitstatus,
            exception=self.exception,
            dependencies=self.dependencies,
            annotations=self.annotations,
        )

    def _result(self) -> JobResult:
        if self.success:
            return JobResult.COMPLETED
        if self.exception is None:
            return JobResult.FAILED
        return _RESULTS.get(self.exception.type, JobResult.FAILED)

    def _failed(self) -> bool:
        return self.exception is not None and self.exception.severity == 0

    def _use_counts(self, counts: jobspecs.Counts) -> None:
        self.ntasks, self.ncores, self.nnodes = counts.ntasks, counts.ncores, counts.nnodes
        self._ntasks_per = counts.ntasks_per

    # One handler per event. True = the job was in a state where RFC 21 knows this event.

    def _submit(self, timestamp: float, context: Context) -> bool:
        userid = _integer(context, "userid", 0, 0xFFFFFFFF)
        self.urgency = _integer(context, "urgency", 0, 31)
        self.userid = userid
        self.t_submit = timestamp
        if self.state is not _NEW:
            return False
        if not context.get("version"):  # before flux-core 0.41 there was no validate event
            self.state, self.t_depend = _DEPEND, timestamp
        return True

    def _validate(self, timestamp: float, _context: Context) -> bool:
        if self.state is not _NEW and (self.state is not _DEPEND or self.t_depend != self.t_submit):
            return False
        self.state, self.t_depend = _DEPEND, timestamp
        return True

    def _depend(self, timestamp: float, _context: Context) -> bool:
        if self.state is not _DEPEND:
            return False
        self.state = _PRIORITY
        if self.t_priority is None:
            self.t_priority = timestamp
        return True

    def _priority(self, timestamp: float, context: Context) -> bool:
        self.priority = _integer(context, "priority", 0, 0xFFFFFFFF)
        if self.state is not _PRIORITY:
            return self.state is _SCHED
        self.state = _SCHED
        if self.t_sched is None:
            self.t_sched = timestamp
        return True

    def _alloc(self, timestamp: float, context: Context) -> bool:
        if self.state is not _SCHED:
            return False
        self.state, self.t_run = _RUN, timestamp
        annotations = context.get("annotations")
        if isinstance(annotations, dict):
            self._annotate(annotations)
        return True

    def _finish(self, timestamp: float, context: Context) -> bool:
        self.waitstatus = _integer(context, "status", -(1 << 31), (1 << 31) - 1)
        # An exception that comes later does not undo a success (job-list, flux-core 0.88).
        self.success = self.waitstatus == 0 and not self._failed()
        if self.state is not _RUN:
            return self.state is _CLEANUP
        self.state, self.t_cleanup = _CLEANUP, timestamp
        return True

    def _exception(self, timestamp: float, context: Context) -> bool:
        severity = _integer(context, "severity", 0, 7)
        kind, note = _text(context, "type"), context.get("note", "")
        if self.exception is None or severity < self.exception.severity:
            self.exception = JobException(kind, severity, note if isinstance(note, str) else "")
        if severity > 0:
            return True
        if self.state is _NEW or self.state >= _CLEANUP:
            return self.state is _CLEANUP
        self.state, self.t_cleanup = _CLEANUP, timestamp
        return True

    def _clean(self, timestamp: float, _context: Context) -> bool:
        if self.state is not _CLEANUP:
            return False
        self.state, self.t_inactive = _INACTIVE, timestamp
        return True

    def _urgency(self, _timestamp: float, context: Context) -> bool:
        self.urgency = _integer(context, "urgency", 0, 31)
        return self._back_to_priority()

    def _restart(self, _timestamp: float, _context: Context) -> bool:
        return self._back_to_priority()

    def _back_to_priority(self) -> bool:
        """Urgency, jobspec-update and flux-restart take a job out of SCHED (RFC 21)."""
        if self.state is _SCHED:
            self.state = _PRIORITY
        return self.state < _INACTIVE

    def _jobspec_update(self, _timestamp: float, context: Context) -> bool:
        for path, value in context.items():
            if path in _UPDATES:
                field, kind = _UPDATES[path]
                if not isinstance(value, kind) or isinstance(value, bool):
                    raise ValueError(f"jobspec-update of {path} has a value of the wrong type")
                setattr(self, field, value if isinstance(value, str) else float(value))
            elif path in ("resources", "tasks") and self._jobspec is not None:
                self._jobspec = {**self._jobspec, path: value}
                if not self.ranks:
                    self._use_counts(jobspecs.counts(self._jobspec))
            elif path == _CONSTRAINTS and self._jobspec is not None:
                self._jobspec = jobspecs.with_attribute(self._jobspec, "constraints", value)
        return self._back_to_priority()

    def _resource_update(self, _timestamp: float, context: Context) -> bool:
        value = context.get("expiration")
        if value is None:
            return True
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
            raise ValueError("resource-update has an expiration that is no time")
        self.expiration = float(value) or None
        return True

    def _dependency_add(self, _timestamp: float, context: Context) -> bool:
        description = _text(context, "description")
        if description not in self.dependencies:
            self.dependencies = (*self.dependencies, description)
        return True

    def _dependency_remove(self, _timestamp: float, context: Context) -> bool:
        description = _text(context, "description")
        self.dependencies = tuple(one for one in self.dependencies if one != description)
        return True

    def _memo(self, _timestamp: float, context: Context) -> bool:
        known = self.annotations.get("user")
        try:
            user = _merged(known if isinstance(known, dict) else {}, context)
            self.annotations = _without_nulls({**self.annotations, "user": user})
        except RecursionError:
            raise ValueError("memo is nested too deep") from None
        return True

    def _annotations(self, _timestamp: float, context: Context) -> bool:
        """The journal's own event: it replaces all annotations; null takes them away."""
        annotations = context.get("annotations")
        self.annotations = annotations if isinstance(annotations, dict) else _NO_ANNOTATIONS
        return True

    def _annotate(self, more: dict[str, Any]) -> None:
        if not self.annotations and len(more) == 1 and "sched" in more:
            self.annotations = _shared_sched(more)
            return
        merged = {**self.annotations, **more}
        self.annotations = {key: value for key, value in merged.items() if value not in (None, {})}


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Objects are merged into each other, at every depth; all else is replaced."""
    found = dict(old)
    for key, value in new.items():
        if isinstance(value, dict):
            before = found.get(key)
            found[key] = _merged(before if isinstance(before, dict) else {}, value)
        else:
            found[key] = value
    return found


def _without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    """Null takes a key away, at every depth; an object of which nothing is left goes, too."""
    found = {}
    for key, one in value.items():
        kept = _without_nulls(one) if isinstance(one, dict) else one
        if kept is not None and kept != {}:
            found[key] = kept
    return found


_NO_ANNOTATIONS: Final[dict[str, Any]] = {}

# What each event does to a draft, by its name; the names that are missing change nothing.
HANDLERS: Final[dict[str, Callable[[JobBuilder, float, Context], bool]]] = {
    "submit": JobBuilder._submit,
    "validate": JobBuilder._validate,
    "depend": JobBuilder._depend,
    "priority": JobBuilder._priority,
    "alloc": JobBuilder._alloc,
    "finish": JobBuilder._finish,
    "exception": JobBuilder._exception,
    "clean": JobBuilder._clean,
    "urgency": JobBuilder._urgency,
    "flux-restart": JobBuilder._restart,
    "jobspec-update": JobBuilder._jobspec_update,
    "resource-update": JobBuilder._resource_update,
    "dependency-add": JobBuilder._dependency_add,
    "dependency-remove": JobBuilder._dependency_remove,
    "memo": JobBuilder._memo,
    "annotations": JobBuilder._annotations,
}


def _integer(context: Context, key: str, low: int, high: int) -> int:
    value = context.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"event has no valid {key}")
    return value


def _text(context: Context, key: str) -> str:
    value = context.get(key)
    if not isinstance(value, str):
        raise ValueError(f"event has no valid {key}")
    return value


def _shared_sched(annotations: dict[str, Any]) -> dict[str, Any]:
    """The same object for the same summary: thousands of jobs ran in the same places."""
    sched = annotations["sched"]
    summary = sched.get("resource_summary") if isinstance(sched, dict) and len(sched) == 1 else None
    return _summary(summary) if isinstance(summary, str) else annotations


@lru_cache(maxsize=4096)
def _summary(text: str) -> dict[str, Any]:
    return {"sched": {"resource_summary": text}}
