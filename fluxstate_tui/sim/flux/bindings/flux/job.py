"""Submitting jobs, and following the job manager's journal."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from typing import Any

from .constants import FLUX_RPC_STREAMING
from .future import Future
from .wire import core_version


class SubmitFuture(Future):
    """The answer to a submission."""

    def get_id(self) -> int:
        """The job's id. OSError with Flux's text when it was refused."""
        return int(self.get()["id"])


def submit_async(
    flux_handle: Any,
    jobspec: Any,
    urgency: int = 16,
    waitable: bool = False,
    debug: bool = False,
    pre_signed: bool = False,
    novalidate: bool = False,
) -> SubmitFuture:
    """Submit a jobspec (JSON text) without waiting."""
    flags = 4 * waitable + 2 * debug + 8 * novalidate
    payload = {"J": jobspec, "urgency": urgency, "flags": flags}
    future = SubmitFuture(flux_handle)
    flux_handle.rpc("job-ingest.submit", payload, future=future)
    return future


def submit(flux_handle: Any, jobspec: Any, **options: Any) -> int:
    """Submit and wait for the id."""
    return submit_async(flux_handle, jobspec, **options).get_id()


class JournalEvent:
    """One event of one job; `jobspec` comes with submit, `R` with alloc."""

    def __init__(
        self,
        jobid: int,
        event: dict[str, Any],
        jobspec: dict[str, Any] | None = None,
        R: dict[str, Any] | None = None,  # noqa: N803 - Flux's own name for it (RFC 20)
    ) -> None:
        self.jobid = jobid
        self.timestamp = event.get("timestamp", 0.0)
        self.name = event.get("name", "")
        self.context = event.get("context", {})
        self.context_string = json.dumps(self.context) if self.context else ""
        self.jobspec = jobspec if self.name == "submit" else None
        self.R = R if self.name == "alloc" else None

    def is_empty(self) -> bool:
        """The sentinel between history and live events."""
        return self.jobid == -1


class JournalConsumer:
    """All jobs' events. `full=False` starts with what comes from now on."""

    def __init__(
        self,
        flux_handle: Any,
        full: bool = True,
        since: float = 0.0,
        include_sentinel: bool = False,
    ) -> None:
        self.handle = flux_handle
        self.full = full
        self._since = since
        self._sentinel = include_sentinel
        self._future: Future | None = None
        self._callback: Callable[[JournalEvent | None], None] | None = None
        self._past = True
        self._events: list[JournalEvent] = []

    def start(self) -> JournalConsumer:
        """Subscribe. A refusal shows with the first `poll`."""
        payload = {"full": self.full}
        self._future = self.handle.rpc("job-manager.events-journal", payload, 0, FLUX_RPC_STREAMING)
        if self._callback is not None:
            self._future.then(self._take)
        return self

    def stop(self) -> None:
        """Unsubscribe."""
        if self._future is not None:
            payload = {"matchtag": self._future.number}
            self.handle.rpc("job-manager.events-journal-cancel", payload, flags=1)

    def is_active(self) -> bool:
        """Whether it was started."""
        return self._future is not None

    def set_callback(self, callback: Callable[..., Any], *args: Any, **options: Any) -> None:
        """Call it with every event, and with None at the end."""
        self._callback = lambda event: callback(event, *args, **options)
        if self._future is not None:
            self._future.then(self._take)

    def poll(self, timeout: float = -1.0) -> JournalEvent | None:
        """The next event; None at the end. OSError when it was refused."""
        if self._future is None:
            raise RuntimeError("poll() called before start()")
        while not self._events:
            try:
                self._read(self._future)
            except OSError as error:
                if error.errno in (errno.ENODATA, errno.ECONNRESET):
                    return None
                raise
        return self._events.pop(0)

    def _read(self, future: Future) -> None:
        answer = future.get()
        future.reset()
        self._events += self._wanted(answer)

    def _wanted(self, answer: dict[str, Any]) -> list[JournalEvent]:
        job_id = answer["id"]
        if job_id == -1:
            self._past = False
            return [JournalEvent(-1, {})] if self._sentinel and self.full else []
        if self._past and not self.full:
            return []
        events = [
            JournalEvent(job_id, entry, answer.get("jobspec"), answer.get("R"))
            for entry in answer["events"]
        ]
        return [event for event in events if event.timestamp > self._since]

    def _take(self, future: Future) -> None:
        assert self._callback is not None
        try:
            self._read(future)
        except OSError:
            self._callback(None)
            return
        while self._events:
            self._callback(self._events.pop(0))


if core_version() < (0, 68):
    del JournalConsumer, JournalEvent
