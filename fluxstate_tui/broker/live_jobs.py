"""From job lists and journal events to jobs, with the one fold of model.replay.

A job whose events we have from its submission on is *ours*: no list may change it, for job-list
lags behind the journal. A job of a list goes on from there: an event that the list already holds is
older than the job's last transition, and does nothing.
"""

from __future__ import annotations

import base64
import codecs
import json
import zlib
from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from fluxstate_tui.broker.protocol import JobEvents, JobsPiece
from fluxstate_tui.flux.eventlog import Event
from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.flux.job_json import job_from_rpc
from fluxstate_tui.flux.jobid import f58
from fluxstate_tui.flux.reducer import JobBuilder

# A job list of any length, read piece by piece, so that no piece stops the event loop for long.

_DECODER = json.JSONDecoder()
# A piece is 128 Ki characters, of at most four bytes each. Whoever controls the pod may speak for
# the remote program, so what a piece inflates to is not left to it.
MOST_OF_A_PIECE = 1 << 20
MOST_OF_A_JOB = 64 << 20


class JobListReader:
    """Reads one `{"jobs": [...]}` answer of job-list from its deflated pieces (128 KiB each)."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj()
        self._decode = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._inside = False

    def feed(self, data: str, last: bool) -> list[dict[str, Any]]:
        """The jobs that are complete now. Raises ValueError when it is no such answer."""
        try:
            raw = base64.b64decode(data, validate=True)
            piece = self._inflate.decompress(raw, MOST_OF_A_PIECE)
        except zlib.error as error:
            raise ValueError(f"the job list cannot be inflated: {error}") from None
        if self._inflate.unconsumed_tail:
            raise ValueError(f"a piece of the job list has more than {MOST_OF_A_PIECE} bytes")
        if len(self._text) > MOST_OF_A_JOB:
            raise ValueError(f"a job of the job list has more than {MOST_OF_A_JOB} characters")
        self._text += self._decode.decode(piece, final=last)
        if not self._inside and not self._enter():
            if last:
                raise ValueError("the answer of job-list has no jobs")
            return []
        jobs = self._jobs()
        if last and not self._text.startswith("]"):
            raise ValueError("the job list is cut off")
        return jobs

    def _enter(self) -> bool:
        start = self._text.find("[")
        if start < 0:
            return False
        if self._text[:start].replace(" ", "") != '{"jobs":':
            raise ValueError("the answer of job-list does not begin with its jobs")
        self._text = self._text[start + 1 :]
        self._inside = True
        return True

    def _jobs(self) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = []
        text, position = self._text, 0
        while True:
            while text[position : position + 1] in (",", " ", "\n"):
                position += 1
            if not text.startswith("{", position):
                break
            try:
                job, position = _DECODER.raw_decode(text, position)
            except json.JSONDecodeError:
                break  # the rest of it comes with the next piece
            except RecursionError:
                raise ValueError("a job of the job list is nested too deeply") from None
            jobs.append(job)
        self._text = text[position:]
        return jobs


@dataclass(frozen=True, slots=True)
class JobListSnapshot:
    """Jobs of a list. `complete`: there are no others. `went_back` says if it is older state.

    They are a dict because a hundred thousand job ids collide so often, being multiples of 2^24,
    that one costs 45 ms to make and 2 ms to copy from one that was made piece by piece.
    """

    by_id: dict[int, Job]
    complete: bool
    went_back: str = ""

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs alone."""
        return tuple(self.by_id.values())


class LiveJobs:
    """The jobs of one MiniCluster, over all conversations with it."""

    def __init__(self) -> None:
        self._active: dict[int, Job | JobBuilder] = {}  # a draft from the first event on
        self._ended: dict[int, Job] = {}
        self._ours: set[int] = set()
        self._journal: frozenset[int] | None = None
        self._changed: set[int] = set()
        self._reader: JobListReader | None = None
        self._coming: dict[int, Job] = {}
        self._coming_active: dict[int, Job] = {}
        self.unreadable = 0
        self.gaps = False
        """Something is missing or doubtful: the list has to be read again."""

    @property
    def total(self) -> int:
        """How many jobs are known."""
        return len(self._active) + len(self._ended)

    def counts(self) -> dict[str, int]:
        """How many jobs are pending, running and inactive, by our own account."""
        states = [job.state for job in self._active.values()]
        pending = sum(state.pending for state in states)
        running = len(states) - pending
        return {"pending": pending, "running": running, "inactive": len(self._ended)}

    def interrupted(self) -> None:
        """The conversation broke off: no more events come for what we have."""
        self._forget_list()
        self._ours.clear()
        self._journal = None
        self.gaps = False

    def active(self, ids: frozenset[int] | None) -> None:
        """What the journal says is active, before the first list; None if it does not say."""
        self._journal = ids

    def piece(self, piece: JobsPiece) -> JobListSnapshot | None:
        """Take a piece of a list; the last one gives the snapshot. ValueError: it was rubbish."""
        if self._reader is None:
            self._reader = JobListReader()
        try:
            for fields in self._reader.feed(piece.data, piece.last):
                self._take(fields)
        except ValueError:
            self._forget_list()
            raise
        if not piece.last:
            return None
        ended, active = self._coming, self._coming_active
        self._forget_list()
        return self._update(ended, active) if piece.part else self._replace(ended, active)

    def replace(self, jobs: Iterable[Job]) -> JobListSnapshot:
        """The complete list: what is not in it, nor ours, is gone."""
        ended: dict[int, Job] = {}
        active: dict[int, Job] = {}
        for job in jobs:
            (ended if job.state is JobState.INACTIVE else active)[job.id] = job
        return self._replace(ended, active)

    def events(self, message: JobEvents) -> None:
        """Apply what the journal says of one job; `changes` has it afterwards."""
        builder = self._builder(message)
        if builder is None:
            return
        known_until = _last_transition(builder)
        for event in message.events:
            if event["name"] == "invalidate":  # refused by a plugin: it never was a job
                self._active.pop(message.id, None)
                self._ours.discard(message.id)
                self._changed.discard(message.id)
                self.gaps = True  # it may have been shown already
                return
            if float(event["timestamp"]) >= known_until:
                self._apply(builder, event, message)
        self._changed.add(message.id)
        if builder.state is JobState.INACTIVE:
            del self._active[message.id]
            self._ended[message.id] = builder.freeze()

    def changes(self) -> tuple[Job, ...]:
        """The jobs that changed since the last time this was asked."""
        changed = tuple(self._frozen(id) for id in self._changed)
        self._changed.clear()
        return changed

    def _frozen(self, id: int) -> Job:
        job = self._ended.get(id) or self._active[id]
        return job.freeze() if isinstance(job, JobBuilder) else job

    def _builder(self, message: JobEvents) -> JobBuilder | None:
        id = message.id
        if message.events and message.events[0]["name"] == "submit" and id not in self._ours:
            self._ours.add(id)
            self._ended.pop(id, None)
            builder = self._active[id] = JobBuilder(id)
            return builder
        found = self._active.get(id)
        if found is None:
            self.gaps = self.gaps or id not in self._ended
            return None
        if not isinstance(found, JobBuilder):
            found = self._active[id] = JobBuilder.of(found)
        return found

    def _apply(self, builder: JobBuilder, event: dict[str, Any], message: JobEvents) -> None:
        name = event["name"]
        jobspec = message.jobspec if name == "submit" else None
        resources = message.R if name == "alloc" else None
        context = event.get("context") or {}
        try:
            builder.apply(Event(float(event["timestamp"]), name, context), jobspec, resources)
        except (ValueError, TypeError):
            self.unreadable += 1

    def _take(self, fields: dict[str, Any]) -> None:
        try:
            job = job_from_rpc(fields)
        except (ValueError, KeyError, TypeError):
            self.unreadable += 1
            return
        if job.state is JobState.INACTIVE:
            self._coming[job.id] = job
        else:
            self._coming_active[job.id] = job

    def _forget_list(self) -> None:
        self._reader, self._coming, self._coming_active = None, {}, {}

    def _replace(self, ended: dict[int, Job], listed: dict[int, Job]) -> JobListSnapshot:
        """In time that depends little on the length of the list: its pieces were sorted in."""
        was_active, was_ended = self._active, self._ended
        active: dict[int, Job | JobBuilder] = {**listed}
        for id in self._ours:
            ended.pop(id, None)
            active.pop(id, None)
            if id in was_active:
                active[id] = was_active[id]
            else:
                ended[id] = was_ended[id]
        self._active, self._ended = active, ended
        self._changed.clear()
        # What only the list calls active ended before the journal began, unknown to job-list yet.
        doubtful = active.keys() - self._journal - self._ours if self._journal is not None else ()
        self.gaps = bool(doubtful)
        went_back = _how_it_went_back(was_active, was_ended, (active, ended))
        by_id = ended.copy()
        by_id.update((id, self._frozen(id)) for id in active)
        return JobListSnapshot(by_id, True, went_back)

    def _update(self, ended: dict[int, Job], active: dict[int, Job]) -> JobListSnapshot:
        """All active jobs, and those that ended lately."""
        for id in ended:
            self._active.pop(id, None)
        self._ended.update(ended)
        self._active.update(active)
        return JobListSnapshot({**active, **ended}, False)


def _how_it_went_back(
    active: Collection[int], ended: Collection[int], now: tuple[Container[int], Container[int]]
) -> str:
    """Jobs that were active, or the newest one, are missing: older state was loaded.

    That others are missing is no sign: Flux may purge inactive jobs, the oldest first.
    """
    gone = [id for id in chain(active, ended) if id not in now[0] and id not in now[1]]
    newest = max(chain(active, ended), default=0)
    if not gone or (newest not in gone and not any(id in active for id in gone)):
        return ""
    return (
        f"The queue went back in time: {len(gone)} of {len(active) + len(ended)} jobs are gone,"
        f" the newest of them {f58(max(gone))}."
    )


def _last_transition(builder: JobBuilder) -> float:
    times = (
        builder.t_inactive,
        builder.t_cleanup,
        builder.t_run,
        builder.t_sched,
        builder.t_priority,
        builder.t_depend,
    )
    return next((time for time in times if time is not None), builder.t_submit)
