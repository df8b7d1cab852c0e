"""Jobs as Flux writes them in JSON: `flux jobs --json` (0.49 or newer) and the job-list RPC."""

from __future__ import annotations

import math
import pwd
import time
from functools import lru_cache
from typing import Any

from fluxstate_tui.flux.job import Job, JobException, JobResult, JobState
from fluxstate_tui.flux.jobid import f58, parse_job_id

_TIMES = ("t_depend", "t_priority", "t_sched", "t_run", "t_cleanup", "t_inactive")
_TEXTS = ("name", "cwd", "queue", "project", "bank")
_NUMBERS = ("ntasks", "ncores", "nnodes", "priority")


def job_to_json(job: Job, now: float | None = None) -> dict[str, Any]:
    """The job with exactly the keys of `flux jobs --json`; what is empty is left out.

    `now` (seconds since the epoch by the cluster's clock) gives a running job its `runtime` and
    `t_remaining`. Like in Flux, `username` is looked up on this machine, and a begin-time
    dependency is written in its time zone.
    """
    out: dict[str, Any] = {}
    for key in _TIMES:
        if value := getattr(job, key):
            out[key] = value
    out["duration"] = job.duration
    _put(out, "expiration", job.expiration)
    for key in _TEXTS:
        if value := getattr(job, key):
            out[key] = value
    for key in _NUMBERS:
        if (value := getattr(job, key)) is not None:
            out[key] = value
    _put(out, "ranks", job.ranks)
    _put(out, "nodelist", job.nodelist)
    _put_result(out, job)
    out["id"] = job.id
    out["t_submit"] = job.t_submit
    out["state"] = job.state.name
    out["username"] = username(job.userid)
    out["userid"] = job.userid
    out["urgency"] = job.urgency
    _put_clock(out, job, now)
    out["status"] = job.status
    if job.result is not None:
        code = returncode(job)
        if code is not None:
            out["returncode"] = code
    out["dependencies"] = [dependency_text(text, now) for text in job.dependencies]
    out["jobid"] = f58(job.id)
    _put_annotations(out, job)
    return out


def job_from_json(data: dict[str, Any]) -> Job:
    """A job of `flux jobs --json`, of any flux-core since 0.49.

    Raises ValueError or KeyError when it is not such an object. A begin-time dependency stays in
    the form that Flux printed.
    """
    annotations = dict(data.get("annotations") or {})
    if data.get("uri"):
        annotations["user"] = {**annotations.get("user", {}), "uri": data["uri"]}
    exception = data.get("exception") or {}
    result = data.get("result")
    return _job(
        data,
        state=JobState[data["state"]],
        result=JobResult[result] if result else None,
        exception=_exception(exception, "") if exception.get("occurred") else None,
        annotations=annotations,
    )


def job_from_rpc(data: dict[str, Any]) -> Job:
    """A job of the job-list RPC (attrs all), where state and result are numbers.

    Raises ValueError or KeyError when it is not such an object.
    """
    result = data.get("result")
    return _job(
        data,
        state=JobState(data["state"]),
        result=JobResult(result) if result else None,
        exception=_exception(data, "exception_") if data.get("exception_occurred") else None,
        annotations=dict(data.get("annotations") or {}),
    )


def returncode(job: Job) -> int | None:
    """Exit code, or minus the signal; without a wait status -128 if canceled and 1 if failed."""
    status = job.waitstatus
    if status is None:
        return {JobResult.CANCELED: -128, JobResult.FAILED: 1}.get(job.result or JobResult.TIMEOUT)
    signal = status & 0x7F
    if signal == 0:
        return (status >> 8) & 0xFF
    return None if signal == 0x7F else -signal


@lru_cache(maxsize=1024)
def username(userid: int) -> str:
    """The user's name on this machine, or the number as text."""
    try:
        return pwd.getpwuid(userid).pw_name
    except (KeyError, OverflowError):
        return str(userid)


def _put(out: dict[str, Any], key: str, value: Any) -> None:
    if value:
        out[key] = value


def _put_result(out: dict[str, Any], job: Job) -> None:
    if job.result is not None:
        out["success"] = job.result is JobResult.COMPLETED
        out["result"] = job.result.name
    if job.waitstatus is not None:
        out["waitstatus"] = job.waitstatus


def _put_clock(out: dict[str, Any], job: Job, now: float | None) -> None:
    if job.t_run is not None and job.t_cleanup is not None:
        _put(out, "runtime", job.t_cleanup - job.t_run)
    elif job.t_run is not None and now is not None:
        _put(out, "runtime", max(0.0, now - job.t_run))
    if job.state is JobState.RUN and job.expiration and now is not None:
        _put(out, "t_remaining", max(0.0, job.expiration - now))


def _put_annotations(out: dict[str, Any], job: Job) -> None:
    """Flux shows `annotations.user.uri` as the job's `uri`, and only there."""
    annotations = dict(job.annotations)
    user = annotations.get("user")
    uri = user.get("uri") if isinstance(user, dict) else None
    if isinstance(user, dict) and isinstance(uri, str) and uri:
        rest = {key: value for key, value in user.items() if key != "uri"}
        annotations["user"] = rest
        if not rest:
            del annotations["user"]
        out["uri"] = uri
    out["annotations"] = annotations
    # Flux tells it only of a job that is over.
    if job.exception is None or job.state is not JobState.INACTIVE:
        out["exception"] = {"occurred": False}
    else:
        out["exception"] = {
            "occurred": True,
            "severity": job.exception.severity,
            "type": job.exception.type,
            "note": job.exception.note,
        }


def dependency_text(text: str, now: float | None = None) -> str:
    """A dependency as Flux prints it: a begin-time as a date in this machine's time zone."""
    return _dependency_text(text, now, year=False)


def dependency_words(text: str, now: float | None = None) -> str:
    """The same for people: a date of another year than `now`'s has its year."""
    return _dependency_text(text, now, year=True)


def begin_time(dependency: str) -> float | None:
    """The time of a begin-time dependency (seconds since the epoch), None for any other."""
    kind, _, value = dependency.partition("=")
    if kind != "begin-time":
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _dependency_text(text: str, now: float | None, *, year: bool) -> str:
    moment = begin_time(text)
    if moment is None:
        return text
    try:
        begin = time.localtime(moment)
        this = time.localtime(now)  # None is today
    except (ValueError, OverflowError, OSError):
        return text
    form = "%H:%M" if now is not None and this[:3] == begin[:3] else "%b%d-%H:%M"
    if year and this.tm_year != begin.tm_year:
        form = f"%Y-{form}"
    return f"begin@{time.strftime(form, begin)}" + (f":{begin.tm_sec:02d}" if begin.tm_sec else "")


def _exception(data: dict[str, Any], prefix: str) -> JobException:
    return JobException(
        str(data.get(f"{prefix}type", "")),
        int(data.get(f"{prefix}severity", 0)),
        str(data.get(f"{prefix}note", "")),
    )


def _job(
    data: dict[str, Any],
    *,
    state: JobState,
    result: JobResult | None,
    exception: JobException | None,
    annotations: dict[str, Any],
) -> Job:
    plain: dict[str, Any] = {
        **{key: float(data[key]) if data.get(key) else None for key in _TIMES},
        **{key: int(data[key]) if data.get(key) is not None else None for key in _NUMBERS},
        **{key: str(data.get(key) or "") for key in (*_TEXTS, "ranks", "nodelist")},
    }
    waitstatus = data.get("waitstatus")
    return Job(
        id=parse_job_id(data["id"]),
        userid=int(data["userid"]),
        state=state,
        urgency=int(data.get("urgency", 16)),
        duration=float(data.get("duration") or 0.0),
        expiration=float(data["expiration"]) if data.get("expiration") else None,
        t_submit=float(data.get("t_submit") or 0.0),
        result=result,
        waitstatus=int(waitstatus) if waitstatus is not None else None,
        exception=exception,
        dependencies=tuple(str(one) for one in data.get("dependencies") or ()),
        annotations=annotations,
        **plain,
    )
