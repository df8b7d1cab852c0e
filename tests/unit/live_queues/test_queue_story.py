"""When the job list is read again, and when not."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from typing import Any

from fluxstate_tui.broker.protocol import Beat, Fact, JobEvents, JobsPiece, Mode
from fluxstate_tui.live.events import JobsListed, StoreEvent
from fluxstate_tui.live.queue_feed import LIST_PATIENCE, OVERLAP, QueueProjection
from fluxstate_tui.sim.clock import VirtualClock
from tests.unit.broker.script import STATS, event, listed
from tests.unit.live_queues.cluster import REF

A = 16 << 24


def _listing(*jobs: dict[str, Any]) -> JobsPiece:
    data = zlib.compress(json.dumps({"jobs": list(jobs)}).encode())
    return JobsPiece(base64.b64encode(data).decode(), last=True, part=False, now=0.0)


class Teller:
    """A story with its clock and what it told."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.told: list[StoreEvent] = []
        self.story = QueueProjection(REF, self.told.append, self.clock)
        self.story.take(Mode("journal", "", None))
        self.story.take(_listing(listed(A, 8)))

    async def beats(self, count: int) -> int:
        """Let heartbeats pass; how often the list was wanted, and was read the same."""
        wanted = 0
        for _ in range(count):
            await self.clock.advance(3.0)
            self.story.take(Beat(self.clock.now(), "run"))
            if self.story.wants_list() is not None:
                wanted += 1
                self.story.take(_listing(listed(A, 8)))
        return wanted


async def test_as_long_as_the_counts_agree_the_list_is_read_once() -> None:
    teller = Teller()
    teller.story.take(Fact("stats", {"job_states": {**STATS, "sched": 1, "total": 1}}))
    assert await teller.beats(100) == 0
    assert sum(isinstance(event, JobsListed) for event in teller.told) == 1


async def test_a_doubt_that_no_list_settles_does_not_cost_a_list_every_time() -> None:
    """Such as a job record that we cannot understand, on a queue of 100,000."""
    teller = Teller()
    teller.story.take(Fact("stats", {"job_states": {**STATS, "sched": 2, "total": 2}}))
    assert 1 <= await teller.beats(10) <= 2
    assert await teller.beats(400) <= 8


async def test_events_on_their_way_are_no_reason_to_doubt() -> None:
    teller = Teller()
    teller.story.take(Fact("stats", {"job_states": {**STATS, "run": 1, "total": 1}}))
    assert await teller.beats(1) == 0
    events = ({**event("priority", 1.0, priority=16)}, event("alloc", 2.0))
    teller.story.take(JobEvents(A, events, None, None))
    assert await teller.beats(5) == 0


async def test_without_a_journal_the_list_is_asked_for_at_each_beat_by_the_clusters_clock() -> None:
    teller = Teller()
    teller.story.take(Mode("poll", "a guest", None))
    assert teller.story.wants_list() == 0.0
    theirs = 5_000.0  # their clock differs
    teller.story.take(replace(_listing(listed(A, 8)), now=theirs))
    await teller.clock.advance(3.0)
    teller.story.take(Beat(theirs + 3.0, "run"))
    assert teller.story.wants_list() == theirs - OVERLAP
    assert teller.story.wants_list() is None
    await teller.clock.advance(3.0)
    teller.story.take(Beat(theirs + 6.0, "run"))
    assert teller.story.wants_list() is None, "the one before has not come yet"
    teller.story.take(replace(_listing(listed(A, 16)), part=True, now=theirs + 3.0))
    teller.story.take(Beat(theirs + 9.0, "run"))
    assert teller.story.wants_list() == theirs + 3.0 - OVERLAP
    await teller.clock.advance(LIST_PATIENCE + 1.0)
    teller.story.take(Beat(theirs + 50.0, "run"))
    assert teller.story.wants_list() is not None, "a list that does not come is asked for again"


async def test_trouble_is_told_until_the_fact_comes_again() -> None:
    teller = Teller()
    teller.story.take(Fact("stats", None, "No service matching job-list.job-stats is registered"))
    assert "The stats cannot be read: No service" in teller.story.detail()
    teller.story.take(Fact("stats", {"job_states": {**STATS, "sched": 1, "total": 1}}))
    assert teller.story.detail() == ""
