"""From snapshots and journal events to jobs, with the one fold of model.replay.

What it keeps: the active jobs, and the ids of the rest. An event that the snapshot
already holds has no effect: it is not newer than the job's last transition, and the transitions of
RFC 21 lead only forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fluxstate_tui.flux.protocol import JobEvents, JobsPiece
from fluxstate_tui.flux.snapshot import SnapshotReader
from fluxstate_tui.model.event import Event
from fluxstate_tui.model.flux_json import job_from_rpc
from fluxstate_tui.model.job import Job, JobState
from fluxstate_tui.model.jobid import f58
from fluxstate_tui.model.replay import JobDraft


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A list that is complete. `went_back` says, if so, how it is older than what was there."""

    jobs: tuple[Job, ...]
    complete: bool
    went_back: str = ""


class LiveJobs:
    """The jobs of one MiniCluster, over all sessions with it."""

    def __init__(self) -> None:
        self._active: dict[int, Job | JobDraft] = {}  # a draft from the first event on
        self._inactive: set[int] = set()
        self._changed: dict[int, JobDraft] = {}
        self._reader: SnapshotReader | None = None
        self._coming: list[Job] = []
        self.unreadable = 0
        self.gaps = False
        """An event came of a job that is not known: the list has to be read again."""

    @property
    def total(self) -> int:
        """How many jobs are known."""
        return len(self._active) + len(self._inactive)

    def counts(self) -> dict[str, int]:
        """How many jobs are pending, running and inactive, by our own account."""
        states = [job.state for job in self._active.values()]
        pending = sum(state.pending for state in states)
        return {
            "pending": pending,
            "running": len(states) - pending,
            "inactive": len(self._inactive),
        }

    def forget_piece(self) -> None:
        """The session ended: a list that was coming in will not be completed."""
        self._reader, self._coming = None, []

    def piece(self, piece: JobsPiece) -> Snapshot | None:
        """Take a piece of a list; the last one gives the snapshot. ValueError: it was rubbish."""
        if self._reader is None:
            self._reader = SnapshotReader()
        try:
            for fields in self._reader.feed(piece.data, piece.last):
                self._take(fields)
        except ValueError:
            self.forget_piece()
            raise
        if not piece.last:
            return None
        jobs = tuple(self._coming)
        self.forget_piece()
        return self.update(jobs) if piece.part else self.replace(jobs)

    def replace(self, jobs: tuple[Job, ...]) -> Snapshot:
        """The complete list: what is not in it is gone."""
        went_back = self._how_it_went_back({job.id for job in jobs})
        self._active.clear()
        self._inactive.clear()
        self._changed.clear()
        self._keep(jobs)
        self.gaps = False
        return Snapshot(jobs, True, went_back)

    def update(self, jobs: tuple[Job, ...]) -> Snapshot:
        """All active jobs, and those that ended lately."""
        self._keep(jobs)
        return Snapshot(jobs, False)

    def events(self, message: JobEvents) -> None:
        """Apply what the journal says of one job; `changes` has it afterwards."""
        draft = self._draft(message)
        if draft is None:
            return
        known_until = _last_transition(draft)
        for event in message.events:
            if float(event["timestamp"]) >= known_until:
                self._apply(draft, event, message)
        self._changed[message.id] = draft
        if draft.state is JobState.INACTIVE:
            del self._active[message.id]
            self._inactive.add(message.id)

    def changes(self) -> tuple[Job, ...]:
        """The jobs that changed since the last time this was asked."""
        changed = tuple(draft.freeze() for draft in self._changed.values())
        self._changed.clear()
        return changed

    def _draft(self, message: JobEvents) -> JobDraft | None:
        found = self._active.get(message.id)
        if isinstance(found, JobDraft):
            return found
        if found is None:
            if message.id in self._inactive:
                return None  # the snapshot had it finished already
            if not message.events or message.events[0]["name"] != "submit":
                self.gaps = True
                return None
        draft = JobDraft(message.id) if found is None else JobDraft.of(found)
        self._active[message.id] = draft
        return draft

    def _apply(self, draft: JobDraft, event: dict[str, Any], message: JobEvents) -> None:
        name = event["name"]
        jobspec = message.jobspec if name == "submit" else None
        resources = message.R if name == "alloc" else None
        context = event.get("context") or {}
        try:
            draft.apply(Event(float(event["timestamp"]), name, context), jobspec, resources)
        except (ValueError, TypeError):
            self.unreadable += 1

    def _take(self, fields: dict[str, Any]) -> None:
        try:
            self._coming.append(job_from_rpc(fields))
        except (ValueError, KeyError, TypeError):
            self.unreadable += 1

    def _keep(self, jobs: tuple[Job, ...]) -> None:
        for job in jobs:
            if job.state is JobState.INACTIVE:
                self._active.pop(job.id, None)
                self._inactive.add(job.id)
            else:
                self._active[job.id] = job

    def _how_it_went_back(self, now: set[int]) -> str:
        """Jobs that were active, or the newest ones, are missing: older state was loaded.

        That inactive jobs are missing is no sign: Flux may purge them, the oldest first.
        """
        before = self._active.keys() | self._inactive
        gone = before - now
        if not gone or (not (gone & self._active.keys()) and max(before) in now):
            return ""
        return (
            f"The queue went back in time: {len(gone)} of {len(before)} jobs are gone,"
            f" the newest of them {f58(max(gone))}."
        )


def _last_transition(draft: JobDraft) -> float:
    times = (
        draft.t_inactive,
        draft.t_cleanup,
        draft.t_run,
        draft.t_sched,
        draft.t_priority,
        draft.t_depend,
    )
    return next((time for time in times if time is not None), draft.t_submit)
