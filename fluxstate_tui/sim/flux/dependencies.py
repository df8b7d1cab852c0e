"""Job dependencies (RFC 26): after*, and begin-time, as flux-core's plugins handle them (0.88)."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import Any

from fluxstate_tui.flux import jobspec as jobspecs
from fluxstate_tui.flux.job import JobResult
from fluxstate_tui.flux.jobid import f58, parse_job_id
from fluxstate_tui.sim.flux.errors import FluxError
from fluxstate_tui.sim.flux.job import SimJob

KINDS = {
    "after": "after-start",
    "afterstart": "after-start",
    "afterany": "after-finish",
    "afterok": "after-success",
    "afternotok": "after-failure",
    "afterexcept": "after-except",
}
BEGIN = "begin-time="


class Dependencies:
    """Which job waits for which. `remove` is called for a dependency that is met."""

    def __init__(
        self,
        jobs: Mapping[int, SimJob],
        remove: Callable[[SimJob, str], None],
        fail: Callable[[SimJob, str], None],
    ) -> None:
        self._jobs = jobs
        self._remove = remove
        self._fail = fail
        self._waiting: dict[int, list[tuple[SimJob, str]]] = {}

    def describe(self, jobspec: dict[str, Any]) -> list[str]:
        """Descriptions of what a new job waits for. FluxError when it never can be met."""
        wanted = jobspecs.attribute(jobspec, "dependencies")
        if not isinstance(wanted, list):
            return []
        return [self._describe(str(item["scheme"]), item["value"]) for item in wanted]

    def _describe(self, scheme: str, value: Any) -> str:
        if scheme == "begin-time":
            return f"{BEGIN}{float(value):.3f}"
        if scheme not in KINDS:
            raise FluxError(errno.EINVAL, f'dependency scheme "{scheme}" not supported')
        try:
            target_id = parse_job_id(value)
        except ValueError:
            text = f'dependency: {scheme}: "{value}" is not a valid jobid'
            raise FluxError(errno.EINVAL, text) from None
        target = self._jobs.get(target_id)
        if target is None:
            text = f"dependency: {scheme}: id {value}: job not found"
            raise FluxError(errno.EINVAL, text)
        kind = KINDS[scheme]
        if not target.active and (why := _refusal(kind, target)):
            raise FluxError(errno.EINVAL, f"dependency: {why}")
        return f"{kind}={f58(target_id)}"

    def watch(self, job: SimJob, description: str) -> None:
        """Wait for it, or see that it is met already. begin-time is the agenda's business."""
        kind, _, target_text = description.partition("=")
        target = self._jobs.get(parse_job_id(target_text))
        if target is None:
            return
        if not target.active and "clean" not in target.posted and kind != "after-finish":
            return  # it ended in an earlier life: that is not looked at again
        verdict = _verdict(kind, target)
        if verdict is None:
            self._waiting.setdefault(target.id, []).append((job, description))
        else:
            self._settle(job, description, verdict)

    def changed(self, target: SimJob) -> None:
        """A job started or ended: see who waited for that."""
        waiting = self._waiting.pop(target.id, [])
        for job, description in waiting:
            kind = description.partition("=")[0]
            verdict = _verdict(kind, target)
            if verdict is None:
                self._waiting.setdefault(target.id, []).append((job, description))
            elif job.active:
                self._settle(job, description, verdict)

    def _settle(self, job: SimJob, description: str, met: bool) -> None:
        if met:
            self._remove(job, description)
        else:
            target = self._jobs[parse_job_id(description.partition("=")[2])]
            why = "can never be satisfied" if "alloc" in target.posted else "job never started"
            self._fail(job, f"dependency {description} {why}")


def begin_time(description: str) -> float | None:
    """The time of a begin-time dependency, None for another kind."""
    return float(description[len(BEGIN) :]) if description.startswith(BEGIN) else None


def _verdict(kind: str, target: SimJob) -> bool | None:
    """True = met, False = never will be, None = wait."""
    if kind == "after-start" and "start" in target.posted:
        return True
    if target.active:
        return None
    return not _refusal(kind, target)


def _refusal(kind: str, target: SimJob) -> str:
    """Why an inactive job does not meet it, '' when it does."""
    completed = target.freeze().result is JobResult.COMPLETED
    name = f58(target.id)
    if kind != "after-finish" and "alloc" not in target.posted:
        return f"after: {name} never started"
    if kind == "after-success" and not completed:
        return f"afterok: job {name} failed or was canceled"
    if kind == "after-failure" and completed:
        return f"afternotok: job {name} succeeded"
    if kind == "after-except" and not _ended_by_exception(target):
        return f"afterexcept: job {name}: no exception"
    return ""


def _ended_by_exception(target: SimJob) -> bool:
    """Its end event is an exception, and not that its tasks were done."""
    exception = target.draft.exception
    return exception is not None and exception.severity == 0 and not target.draft.success
