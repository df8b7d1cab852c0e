"""One job inside the simulated instance: its eventlog is the truth, the rest follows from it."""

from __future__ import annotations

import json
from typing import Any

from fluxstate_tui.flux import jobspec as jobspecs
from fluxstate_tui.flux.eventlog import Event, encode_line, parse
from fluxstate_tui.flux.job import Job, JobState
from fluxstate_tui.flux.reducer import JobBuilder
from fluxstate_tui.sim.flux.content import JobContent
from fluxstate_tui.sim.flux.encoding import compact, spaced

HOLD, EXPEDITE, MAX_PRIORITY = 0, 31, 4294967295


class SimJob:
    """A job. `guest` holds its output and exec log once it is done; None before.

    `posted` are the events of this life of the broker: a restart replays a log, and does not know
    any more that its events were posted.
    """

    __slots__ = (
        "_content",
        "_frozen",
        "_log",
        "draft",
        "guest",
        "id",
        "jobspec",
        "jobspec_data",
        "posted",
        "resources",
        "resources_data",
        "signed",
    )

    def __init__(
        self, job_id: int, jobspec: dict[str, Any], signed: bytes, data: bytes | None = None
    ) -> None:
        self.id = job_id
        self.jobspec = jobspec
        self.jobspec_data = compact(jobspec) if data is None else data
        self.signed = signed
        self.resources: dict[str, Any] | None = None
        self.resources_data: bytes | None = None
        self.guest: dict[str, bytes] | None = None
        self.draft = JobBuilder(job_id)
        self.draft.use_jobspec(jobspec)
        self.posted: set[str] = set()
        self._log: list[bytes] = []
        self._content: JobContent | None = None
        self._frozen: Job | None = None

    @classmethod
    def load(cls, content: JobContent) -> SimJob:
        """The job as an archive or a checkpoint has it. ValueError when its log is broken."""
        job = cls(content.id, json.loads(content.jobspec), content.signed, content.jobspec)
        for event in parse(content.eventlog):
            job.draft.apply(event)
        job._forget_scheduler()
        job._log = [content.eventlog]
        if content.resources is not None:
            job.use_resources(json.loads(content.resources), content.resources)
        if content.guest is not None:
            job.guest = dict(content.guest)
        job._content = content
        return job

    @property
    def state(self) -> JobState:
        """Where it is in RFC 21's state machine."""
        return self.draft.state

    @property
    def userid(self) -> int:
        """Whose job it is."""
        return self.draft.userid

    @property
    def active(self) -> bool:
        """Not INACTIVE."""
        return self.draft.state is not JobState.INACTIVE

    @property
    def eventlog(self) -> bytes:
        """The log so far."""
        if len(self._log) > 1:
            self._log = [b"".join(self._log)]
        return self._log[0] if self._log else b""

    @property
    def command(self) -> list[str]:
        """The command of its tasks."""
        return jobspecs.command(self.jobspec)

    def events(self) -> list[Event]:
        """The parsed log."""
        return parse(self.eventlog)

    def use_resources(self, resources: dict[str, Any], data: bytes | None = None) -> None:
        """Its allocation. An expiration that was updated later stays as it was updated."""
        updated = self.draft.expiration
        self.resources = resources
        self.resources_data = data if data is not None else spaced(resources)
        self.draft.apply(Event(0.0, ""), R=resources)
        if updated is not None:
            self.draft.expiration = updated
        self._changed()

    def post(self, event: Event) -> None:
        """Add an event to its log."""
        self._log.append(encode_line(event))
        self.draft.apply(event)
        self.posted.add(event.name)
        self._changed()

    def _forget_scheduler(self) -> None:
        """The scheduler's annotations live in memory only: a restart drops them."""
        annotations = self.draft.annotations
        self.draft.annotations = {k: v for k, v in annotations.items() if k != "sched"}

    def finish_guest(self, guest: dict[str, bytes]) -> None:
        """Its namespace is linked into the main one when it is done."""
        self.guest = guest
        self._changed()

    def freeze(self) -> Job:
        """As job-list shows it. Kept until the next event."""
        if self._frozen is None:
            self._frozen = self.draft.freeze()
        return self._frozen

    def content(self) -> JobContent:
        """As the KVS holds it. Kept until the next event."""
        if self._content is None:
            self._content = JobContent(
                self.id,
                self.jobspec_data,
                self.eventlog,
                self.signed,
                self.resources_data,
                self._guest_content(),
            )
        return self._content

    def _guest_content(self) -> dict[str, bytes] | None:
        if self.guest is not None:
            return self.guest
        return {} if self.draft.t_run is None else None

    def _changed(self) -> None:
        self._frozen = None
        self._content = None


def priority_of(urgency: int) -> int:
    """The default priority plugin: the urgency, but expedited jobs go before all."""
    return MAX_PRIORITY if urgency == EXPEDITE else urgency
