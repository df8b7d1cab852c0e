"""One job of an archive from its three files: eventlog, jobspec and R."""

from __future__ import annotations

import json
from typing import Any, Final

from fluxstate_tui.archive.findings import Findings, Kind
from fluxstate_tui.model import eventlog as eventlogs
from fluxstate_tui.model.job import Job, JobState
from fluxstate_tui.model.jobid import f58
from fluxstate_tui.model.replay import JobDraft
from fluxstate_tui.model.resources import ResourceSet

# The state that a job must have reached for an event to make sense (RFC 21).
_NEEDS: Final[dict[str, JobState]] = {
    "depend": JobState.DEPEND,
    "priority": JobState.PRIORITY,
    "alloc": JobState.SCHED,
    "finish": JobState.RUN,
    "clean": JobState.CLEANUP,
}
_ONCE = ("submit", "validate")


class JobFolder:
    """Makes Jobs of files. Broken files give findings, and a job of what could be read.

    Texts that many jobs share are kept once; `shared` maps them to themselves.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._shared: dict[str, str] = {}

    def fold(self, job_id: int, eventlog: bytes, jobspec: bytes | None, r: bytes | None) -> Job:
        """The job as these files tell it. Whatever is wrong with them is a finding."""
        draft = JobDraft(job_id)
        self._use_jobspec(draft, jobspec)
        entries = _all_at_once(eventlog)
        if entries is None or not self._fold_quickly(draft, entries, r):
            draft = JobDraft(job_id)
            self._use_jobspec(draft, jobspec)
            self._fold_slowly(draft, eventlog, r)
        share = self._shared.setdefault
        draft.name = share(draft.name, draft.name)
        draft.cwd = share(draft.cwd, draft.cwd)
        draft.queue = share(draft.queue, draft.queue)
        draft.ranks = share(draft.ranks, draft.ranks)
        draft.nodelist = share(draft.nodelist, draft.nodelist)
        return draft.freeze()

    def _fold_quickly(self, draft: JobDraft, entries: list[Any], r: bytes | None) -> bool:
        """The whole eventlog if nothing is unusual; False = begin again, slowly."""
        fold = draft.fold
        try:
            for entry in entries:
                timestamp, name = entry["timestamp"], entry["name"]
                if name == "alloc":
                    if r is None:
                        return False
                    draft.use_resources(ResourceSet.parse(json.loads(r)))
                if type(timestamp) is not float or not 0.0 <= timestamp < eventlogs.MAX_TIMESTAMP:
                    return False
                if not fold(timestamp, name, entry.get("context") or {}):
                    return False
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return False
        return draft.state is not JobState.NEW

    def _fold_slowly(self, draft: JobDraft, eventlog: bytes, r: bytes | None) -> None:
        """Line by line, with a finding for everything that is not as it should be."""
        for number, line in enumerate(eventlog.split(b"\n"), start=1):
            if not line:
                continue
            place = f"job {f58(draft.id)}, eventlog line {number}"
            try:
                event = eventlogs.parse_line(line)
                if event.name == "alloc":
                    self._use_resources(draft, r)
                fits = draft.fold(event.timestamp, event.name, event.context)
            except (ValueError, TypeError, AttributeError) as error:
                self._findings.add(Kind.DAMAGED, place, f"not an event of a job ({error})")
                continue
            early = draft.state < _NEEDS.get(event.name, JobState.NEW)
            if not fits and (early or event.name in _ONCE):
                message = f"event {event.name} does not belong here (state {draft.state.name})"
                self._findings.add(Kind.DAMAGED, place, message)
        if draft.t_submit == 0.0:
            place = f"job {f58(draft.id)}, eventlog"
            self._findings.add(Kind.DAMAGED, place, "there is no submit event")
        if eventlog and not eventlog.endswith(b"\n"):
            place = f"job {f58(draft.id)}, eventlog"
            self._findings.add(Kind.DAMAGED, place, "the last line is not complete")

    def _use_jobspec(self, draft: JobDraft, jobspec: bytes | None) -> None:
        if jobspec is None:
            return
        try:
            value = json.loads(jobspec)
            if not isinstance(value, dict):
                raise ValueError("not an object")
            draft.use_jobspec(value)
        except (ValueError, RecursionError, TypeError, AttributeError) as error:
            place = f"job {f58(draft.id)}, jobspec"
            self._findings.add(Kind.DAMAGED, place, f"not a jobspec ({error})")

    def _use_resources(self, draft: JobDraft, r: bytes | None) -> None:
        place = f"job {f58(draft.id)}, R"
        if r is None:
            self._findings.add(Kind.DAMAGED, place, "it is missing, though the job was allocated")
            return
        try:
            draft.use_resources(ResourceSet.parse(json.loads(r)))
        except (ValueError, RecursionError, TypeError, AttributeError) as error:
            self._findings.add(Kind.DAMAGED, place, f"not a resource set ({error})")


def _all_at_once(eventlog: bytes) -> list[Any] | None:
    """All entries in one call of the JSON parser; None when the lines do not fit that."""
    if not eventlog.endswith(b"\n"):
        return None
    try:
        entries = json.loads(b"[%b]" % eventlog[:-1].replace(b"\n", b","))
    except (ValueError, RecursionError):
        return None
    return entries if len(entries) == eventlog.count(b"\n") else None
