"""Following one job: its events and its output as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from fluxstate_tui.flux.eventlog import Event, parse
from fluxstate_tui.sim.flux.job import SimJob

if TYPE_CHECKING:
    from fluxstate_tui.sim.flux.instance import FluxInstance


class InstanceGoneError(Exception):
    """The broker died meanwhile."""


class JobWatch:
    """Wakes up whenever the job's events or output grow, or the broker dies."""

    def __init__(self, instance: FluxInstance, job: SimJob) -> None:
        self._instance = instance
        self._job = job
        self._changed = asyncio.Event()
        self._stops = [
            instance.jobs.on_touch(self._touched),
            instance.on_end(self._changed.set),
        ]

    def _touched(self, job: SimJob) -> None:
        if job is self._job:
            self._changed.set()

    def close(self) -> None:
        """Stop listening."""
        for stop in self._stops:
            stop()

    async def wait(self) -> None:
        """Until something grew. InstanceGoneError when the broker is gone."""
        await self._changed.wait()
        self._changed.clear()
        if not self._instance.alive:
            raise InstanceGoneError


def output_lines(instance: FluxInstance, job: SimJob) -> list[bytes] | None:
    """The output log so far; None when it was lost (the job ran when it was dumped)."""
    live = instance.jobs.executor.live(job)
    if live is not None:
        return live.output
    if job.guest is not None:
        return job.guest.get("output", b"").splitlines(keepends=True)
    return None if not job.active and job.draft.t_run is not None else []


async def follow_output(instance: FluxInstance, job: SimJob) -> AsyncIterator[bytes]:
    """Output lines (JSON) until the job's output is complete. OSError-like loss ends it."""
    watch = JobWatch(instance, job)
    sent = 0
    try:
        while True:
            lines = output_lines(instance, job) or []
            while sent < len(lines):
                yield lines[sent]
                sent += 1
            if job.guest is not None or not job.active:
                return
            await watch.wait()
    finally:
        watch.close()


async def follow_events(instance: FluxInstance, job: SimJob) -> AsyncIterator[Event]:
    """All events, past and to come, until `clean`."""
    watch = JobWatch(instance, job)
    read = 0
    try:
        while True:
            log = job.eventlog
            fresh, read = log[read:], len(log)
            for event in parse(fresh):
                yield event
            if not job.active:
                return
            await watch.wait()
    finally:
        watch.close()
