"""Archives as plain text and JSON for the command line. Nothing here can reach a terminal raw."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import msgspec

from fluxstate_tui.archive.compare import Diff, FieldChange
from fluxstate_tui.archive.details import OutputChunk
from fluxstate_tui.archive.preview import RestorePreview
from fluxstate_tui.archive.reader import Archive, ArchivedJob
from fluxstate_tui.archive.timeline import life
from fluxstate_tui.archive.verify import Verdict, counts
from fluxstate_tui.flux import jobspec as jobspecs
from fluxstate_tui.flux.job import Job, JobException
from fluxstate_tui.flux.job_json import dependency_words, job_to_json, returncode, username
from fluxstate_tui.flux.jobid import dothex, f58
from fluxstate_tui.flux.resources import places
from fluxstate_tui.formatting import aligned, plain, plain_lines

# The jobs of an archive as JSON, as `flux jobs --json` writes them, job by job.


def jobs_json(archive: Archive, jobs: Iterable[ArchivedJob], *, output: bool) -> Iterator[str]:
    """`{"jobs": [...]}` in pieces, with the fields of `flux jobs --json`, in Flux's order.

    With `output` each job has also `output`: stream, rank and data of each piece.
    """
    yield '{"jobs": ['
    for position, one in enumerate(in_flux_order(jobs)):
        value = job_to_json(one.job, archive.dumped_at or None)
        if output:
            value["output"] = [_piece_json(piece) for piece in one.output()]
        yield (",\n" if position else "\n") + _ascii_json(value)
    if archive.findings:
        yield '], "partial": true, "problems": '
        yield json.dumps([str(finding) for finding in archive.findings]) + "}\n"
    else:
        yield "]}\n"


def _ascii_json(value: dict[str, Any]) -> str:
    """JSON in ASCII, so that no control character of any kind comes through.

    msgspec writes 6 times as fast as json, but leaves what is not ASCII as it is; of that each job
    has the first character of its id.
    """
    try:
        text = msgspec.json.encode(value).decode().replace("ƒ", "\\u0192")
    except UnicodeEncodeError:
        text = "�"
    return text if text.isascii() else json.dumps(value)


def in_flux_order(jobs: Iterable[ArchivedJob]) -> list[ArchivedJob]:
    """Pending by priority, then running, then inactive, the newest first, as `flux jobs` lists."""

    def key(one: ArchivedJob) -> tuple[int, float, int]:
        job = one.job
        if job.state.pending:
            return 0, -(job.priority or 0), job.id
        if job.state.running:
            return 1, -(job.t_run or 0.0), job.id
        return 2, -(job.t_inactive or 0.0), job.id

    return sorted(jobs, key=key)


def _piece_json(piece: OutputChunk) -> dict[str, str]:
    found = {"stream": piece.stream, "rank": piece.rank, "data": piece.text}
    return {**found, "path": piece.redirected} if piece.redirected else found


_HEADER = ("JOBID", "USER", "NAME", "STATUS", "NTASKS", "NNODES", "TIME", "NODELIST")


def summary(archive: Archive) -> Iterator[str]:
    """What the archive is, in a few lines."""
    version = plain(archive.core_version) or "unknown"
    yield f"{archive.size} bytes, sha256 {archive.sha256}"
    yield f"flux-core {version}, dumped {_date(archive.dumped_at)}, {archive.entries} entries"
    if archive.resources is not None:
        found = archive.resources
        yield f"resources: {plain(found.nodelist)}: {found.nnodes} nodes, {found.ncores} cores"
    yield _queues(archive)
    numbers = ", ".join(f"{number} {status}" for status, number in counts(archive).items())
    yield f"{len(archive.jobs)} jobs" + (f": {numbers}" if numbers else "")
    if archive.lost_and_found:
        yield f"{archive.lost_and_found} jobs that Flux had moved to job-lost+found"


def problems(archive: Archive) -> Iterator[str]:
    """What is wrong with it: what is shown is only a part then."""
    if archive.findings:
        yield "PARTIAL: this archive is not whole; what could be read is shown"
        yield from (f"  {plain(str(finding))}" for finding in archive.findings)


def jobs_table(archive: Archive, jobs: Iterable[ArchivedJob]) -> Iterator[str]:
    """One line per job."""
    rows = (_row(one.job, archive.dumped_at) for one in in_flux_order(jobs))
    yield from aligned([_HEADER, *rows], gap=2)


def job_text(archive: Archive, one: ArchivedJob) -> Iterator[str]:
    """Everything about one job but its output."""
    job = one.job
    yield f"{f58(job.id)}  {plain(job.name)}  {job.status}"
    yield from (f"  {key:<12} {plain(text)}" for key, text in _facts(one) if text)
    if job.exception is not None:
        found = job.exception
        text = f"{found.type} severity={found.severity} {found.note}"
        yield f"  {'exception':<12} {plain(text)}"
    yield "  timeline"
    for phase in life(job.id, one.eventlog):
        seconds = phase.seconds(max(archive.dumped_at, phase.begin))
        going_on = "" if phase.end is not None else " (when it was dumped)"
        yield f"    {_date(phase.begin)}  {phase.state.name:<9} {seconds:.3f} s{going_on}"
    yield "  events"
    for event in one.eventlog:
        context = plain(json.dumps(event.context, ensure_ascii=False)) if event.context else ""
        yield f"    {event.timestamp:.6f}  {plain(event.name)} {context}".rstrip()


def output_text(one: ArchivedJob) -> Iterator[str]:
    """What the tasks wrote, in order; control characters are shown, not obeyed."""
    for piece in one.output():
        yield plain_lines(piece.shown)


def verdict_text(verdict: Verdict) -> Iterator[str]:
    """The verdict, the numbers, and every finding."""
    yield plain(verdict.sentence())
    numbers = ", ".join(f"{number} {status}" for status, number in verdict.counts.items())
    if not verdict.kind.good:
        yield f"what can be read: {len(verdict.archive.jobs)} jobs" + (
            f" ({numbers})" if numbers else ""
        )
        if verdict.fate:
            yield verdict.fate
        yield from (f"  {plain(str(finding))}" for finding in verdict.findings[1:])
    elif numbers:
        yield numbers


def verdict_json(verdict: Verdict) -> str:
    """The verdict for programs."""
    value = {
        "kind": verdict.kind.value,
        "level": verdict.level,
        "place": verdict.place,
        "message": verdict.message,
        "jobs": len(verdict.archive.jobs),
        "counts": verdict.counts,
        "entries": verdict.archive.entries,
        "size": verdict.archive.size,
        "sha256": verdict.archive.sha256,
        "core_version": verdict.archive.core_version,
        "findings": [str(finding) for finding in verdict.findings],
        "would_be_lost": [f58(job_id) for job_id in sorted(verdict.archive.lost)],
        "flux_starts": verdict.flux_starts,
    }
    return json.dumps(value, indent=2)


def preview_text(found: RestorePreview) -> Iterator[str]:
    """The preview for people."""
    yield from map(plain, found.lines())


def preview_json(found: RestorePreview) -> str:
    """The preview for programs: every job with its fate."""
    value = {
        "size": found.room.size,
        "cores": found.room.cores,
        "size_needed": found.size_needed,
        "warnings": list(found.warnings),
        "blocker": _blocker_json(found),
        "counts": {fate.name.lower(): number for fate, number in found.counts.items()},
        "queues": [
            {"name": queue.name, "enable": queue.enabled, "start": queue.started}
            for queue in found.queues
        ],
        "jobs": [
            {
                "id": one.job.id,
                "jobid": f58(one.job.id),
                "name": one.job.name,
                "fate": one.fate.name.lower(),
                "reason": one.reason,
            }
            for one in found.jobs
        ],
    }
    return json.dumps(value, indent=2)


def _blocker_json(found: RestorePreview) -> dict[str, Any] | None:
    blocker = found.blocker
    if blocker is None:
        return None
    return {
        "id": blocker.job.id,
        "jobid": f58(blocker.job.id),
        "nodes": blocker.nodes,
        "up": blocker.up,
        "behind": blocker.behind,
    }


def diff_text(found: Diff) -> Iterator[str]:
    """`-` only before, `+` only after, `~` changed with each field, and the numbers."""
    yield from (f"- {f58(job.id)}  {plain(job.name)}  {job.status}" for job in found.only_a)
    yield from (f"+ {f58(job.id)}  {plain(job.name)}  {job.status}" for job in found.only_b)
    for change in found.changed:
        yield f"~ {f58(change.after.id)}  {plain(change.after.name)}"
        for field in change.fields:
            before, after = _value(field.before), _value(field.after)
            yield f"    {field.name}: {before} -> {after}"
    yield (
        f"{len(found.only_a)} only in the first, {len(found.only_b)} only in the second, "
        f"{len(found.changed)} changed, {len(found.unchanged)} unchanged"
    )


def diff_json(found: Diff) -> str:
    """The diff for programs."""
    value = {
        "only_a": [job_to_json(job) for job in found.only_a],
        "only_b": [job_to_json(job) for job in found.only_b],
        "changed": [
            {
                "id": change.after.id,
                "jobid": f58(change.after.id),
                "fields": [_change_json(field) for field in change.fields],
            }
            for change in found.changed
        ],
        "unchanged": len(found.unchanged),
    }
    return json.dumps(value, indent=2)


def _row(job: Job, now: float) -> tuple[str, ...]:
    runtime = job.runtime(now or job.t_run or 0.0)
    return (
        f58(job.id),
        username(job.userid),
        job.name,
        job.status,
        _number(job.ntasks),
        _number(job.nnodes),
        "-" if runtime is None else f"{runtime:.1f}s",
        job.nodelist or "-",
    )


def _facts(one: ArchivedJob) -> Iterator[tuple[str, str]]:
    job = one.job
    yield "id", f"{job.id}  {dothex(job.id)}"
    yield "user", f"{username(job.userid)} ({job.userid})"
    yield "command", " ".join(jobspecs.command(one.jobspec))
    yield "directory", job.cwd
    yield "queue", job.queue
    yield "urgency", f"{job.urgency}  priority {_number(job.priority)}"
    yield "asks for", _resources(job)
    yield "ran on", job.nodelist
    yield from (("allocated", text) for text in places(one.R))
    yield "time limit", f"{job.duration:g} s" if job.duration else ""
    yield "waits for", ", ".join(map(dependency_words, job.dependencies))
    code = returncode(job) if job.result is not None else None
    yield "return code", "" if code is None else str(code)
    user = job.annotations.get("user")
    yield "memo", json.dumps(user, ensure_ascii=False) if user else ""
    yield "partial", "something about this job could not be read" if one.partial else ""


def _resources(job: Job) -> str:
    tasks, cores, nodes = _number(job.ntasks), _number(job.ncores), _number(job.nnodes)
    return f"{tasks} tasks, {cores} cores, {nodes} nodes"


def _queues(archive: Archive) -> str:
    if archive.queues is None and not archive.complete:
        return "queues: unknown, for the archive is not whole"
    if archive.queues is None:
        return "queues: no checkpoint, so a restore starts the anonymous queue"
    words = []
    for queue in archive.queues:
        name = plain(queue.name) or "(anonymous)"
        state = "started" if queue.started else "stopped"
        enabled = "enabled" if queue.enabled else "disabled"
        words.append(f"{name} {enabled}, {state}")
    return "queues at the checkpoint: " + "; ".join(words)


def _date(seconds: float) -> str:
    if seconds <= 0:
        return "at an unknown time"
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "at an unknown time"


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _value(value: object) -> str:
    return plain(getattr(value, "name", None) or str(value))


def _change_json(field: FieldChange) -> dict[str, Any]:
    before, after = _value_json(field.before), _value_json(field.after)
    return {"name": field.name, "before": before, "after": after}


def _value_json(value: Any) -> Any:
    """Numbers, texts and null as they are; states and results by Flux's names."""
    if isinstance(value, JobException):
        return {"type": value.type, "severity": value.severity, "note": value.note}
    return value.name if isinstance(value, Enum) else value
