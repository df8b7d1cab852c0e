"""The queue feed against a scripted broker: what the store is told, come what may."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from fluxstate_tui.flux.job import JobState
from fluxstate_tui.live.events import BrokerSeen, JobsListed, QueuesSeen, SourceChanged
from fluxstate_tui.live.freshness import Freshness
from fluxstate_tui.live.queue_feed import QueueFeed
from fluxstate_tui.sim.clock import VirtualClock
from tests.unit.broker.script import JOBSPEC, STATS, R, Script, lifetime, listed
from tests.unit.live_queues.cluster import REF, OneLead, minicluster
from tests.unit.live_queues.told import Told, context_of

A, B = 16 << 24, 17 << 24


class MiniClusterClient:
    """A running feed with its clock, its container and what it told."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.cluster = OneLead(script)
        self.clock = VirtualClock()
        self.told = Told()
        mount = str(script.path.parent)
        context = context_of(self.cluster, self.clock)
        self.feed = QueueFeed(context, self.told.emit, minicluster(mount))

    async def pass_time_until(self, freshness: Freshness, words: str = "") -> SourceChanged:
        """Let virtual time go on, so that back-offs end, until the source is like this."""
        waiting = asyncio.create_task(self.told.source(freshness, words))
        while not waiting.done():
            await self.clock.advance(1.0)
            await asyncio.wait({waiting}, timeout=0.02)
        return await waiting


@asynccontextmanager
async def running(script: Script) -> AsyncIterator[MiniClusterClient]:
    world = MiniClusterClient(script)
    task = asyncio.create_task(world.feed.run())
    try:
        yield world
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path)


async def test_the_store_learns_of_broker_queues_nodes_and_jobs(script: Script) -> None:
    script.answers["job-list.list"] = [{"jobs": [listed(A, 64, result=1)]}]
    script.answers["job-list.job-stats"] = [{"job_states": {**STATS, "inactive": 1, "total": 1}}]
    async with running(script) as world:
        told = world.told
        assert (await told.source(Freshness.CONNECTING)).source == f"queue:{REF.uid}"
        broker = await told.until(lambda event: isinstance(event, BrokerSeen))
        assert isinstance(broker, BrokerSeen)
        assert (broker.state, broker.version, broker.cluster) == ("run", "0.88.0", REF)
        jobs = await told.until(lambda event: isinstance(event, JobsListed))
        assert isinstance(jobs, JobsListed)
        assert list(jobs.jobs) == [A]
        assert (await told.source(Freshness.LIVE)).detail == ""
        told.events = list(told.history)  # queues and jobs come in any order
        seen = await told.until(lambda event: isinstance(event, QueuesSeen))
        assert isinstance(seen, QueuesSeen)
        assert [(queue.name, queue.started) for queue in seen.queues] == [("", True)]
        assert [(node.host, node.cores, node.up) for node in seen.nodes] == [
            ("flux-sample-0", 4, True),
            ("flux-sample-1", 4, True),
        ]
        assert world.feed.session is not None
        assert await world.feed.session.now() > 0
    assert world.feed.session is None


async def test_what_the_journal_tells_reaches_the_store(script: Script) -> None:
    live = [{"id": A, "events": [event]} for event in lifetime()]
    live[0] = {**live[0], "jobspec": JOBSPEC}
    live[4] = {**live[4], "R": R}
    script.answers["job-manager.events-journal"] = [{"id": -1, "events": []}, *live]
    script.answers["job-list.job-stats"] = [{"job_states": {**STATS, "inactive": 1, "total": 1}}]
    async with running(script) as world:
        await world.told.until(
            lambda _event: [job.state for job in world.told.jobs.values()] == [JobState.INACTIVE]
        )


async def test_a_cut_connection_marks_the_picture_stale_and_is_made_again(script: Script) -> None:
    async with running(script) as world:
        await world.told.source(Freshness.LIVE)
        world.cluster.streams[-1].break_connection()
        await world.told.source(Freshness.STALE, "the connection was cut")
        await world.pass_time_until(Freshness.LIVE)
        assert len(world.cluster.streams) == 2


async def test_a_silent_broker_is_noticed_and_at_last_given_up(script: Script) -> None:
    state = {"state": "run", "duration": 1.0}
    script.answers["state-machine.get"] = [state, state, "silence"]
    async with running(script) as world:
        await world.told.source(Freshness.LIVE)
        await world.pass_time_until(Freshness.STALE, "for 10 s")
        await world.pass_time_until(Freshness.STALE, "for 30 s")
        await world.pass_time_until(Freshness.LIVE)


async def test_without_a_lead_the_queue_is_absent_until_one_runs(script: Script) -> None:
    world = MiniClusterClient(script)
    world.cluster.lead_runs = False
    task = asyncio.create_task(world.feed.run())
    await world.told.source(Freshness.ABSENT, "does not run")
    world.cluster.lead_runs = True
    await world.pass_time_until(Freshness.LIVE)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_state_of_a_broker_that_is_gone_is_not_taken_for_the_next_ones(
    script: Script,
) -> None:
    """Seen on a real cluster: a replaced lead was called Up before its broker had answered."""
    async with running(script) as world:
        await world.told.source(Freshness.LIVE)
        world.cluster.lead_runs = False
        world.cluster.streams[-1].break_connection()
        await world.pass_time_until(Freshness.ABSENT, "does not run")
        seen = [event for event in world.told.history if isinstance(event, BrokerSeen)]
        assert seen[-1].state == ""
        world.cluster.lead_runs = True
        await world.pass_time_until(Freshness.LIVE)
        assert [e.state for e in world.told.history if isinstance(e, BrokerSeen)][-1] == "run"


async def test_the_lead_of_another_minicluster_of_the_same_name_is_never_asked(
    script: Script,
) -> None:
    world = MiniClusterClient(script)
    world.cluster.job_owner = "another-uid"
    task = asyncio.create_task(world.feed.run())
    await world.told.source(Freshness.ABSENT, "belongs to an earlier one")
    assert world.cluster.streams == []
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_guest_sees_that_the_queue_is_polled_and_why(script: Script) -> None:
    refusal = {"errno": errno.EPERM, "text": "Request requires owner credentials"}
    script.answers["job-manager.events-journal"] = [refusal]
    async with running(script) as world:
        live = await world.told.source(Freshness.LIVE, "Polling")
        assert "owner credentials" in live.detail


async def test_without_bindings_the_commands_are_asked_and_it_says_so(script: Script) -> None:
    script.environment["STANDIN_NO_BINDINGS"] = "1"
    job = {"id": A, "userid": 0, "state": "SCHED", "t_submit": 1.0, "name": "x", "urgency": 16}
    script.commands = {
        "uptime": " 20:48:07 run 1.7s,  owner root,  depth 0,  size 2\n",
        "getattr": "0.75.0\n",
        "jobs": json.dumps({"jobs": [job]}),
        "queue": "Job submission is enabled\nScheduling is stopped: why\n",
        "resource": "free|2|8|0|flux-sample-[0-1]|0-1\n",
    }
    async with running(script) as world:
        broker = await world.told.until(lambda event: isinstance(event, BrokerSeen))
        assert isinstance(broker, BrokerSeen)
        assert (broker.state, broker.version) == ("run", "0.75.0")
        seen = await world.told.until(lambda event: isinstance(event, QueuesSeen))
        assert isinstance(seen, QueuesSeen)
        assert (seen.queues[0].stop_reason, len(seen.nodes)) == ("why", 2)
        await world.told.until(lambda event: isinstance(event, JobsListed))
        live = await world.told.source(Freshness.LIVE, "flux jobs")
        assert "no Python bindings" in live.detail


async def test_a_broker_that_comes_back_older_is_called_so_loudly(script: Script) -> None:
    now = [{"jobs": [listed(A, 64, result=1), listed(B, 64, result=1)]}]
    script.answers["job-list.list"] = now
    script.answers["job-list.job-stats"] = [{"job_states": {**STATS, "inactive": 2, "total": 2}}]
    async with running(script) as world:
        await world.told.source(Freshness.LIVE)
        script.answers["job-list.list"] = [{"jobs": [listed(A, 64, result=1)]}]
        script.executor()  # writes the new script
        world.cluster.streams[-1].break_connection()
        live = await world.pass_time_until(Freshness.LIVE, "back in time")
        assert "1 of 2 jobs are gone" in live.detail


async def test_when_the_broker_counts_otherwise_the_list_is_read_again(script: Script) -> None:
    wrong = {"jobs": [listed(A, 64, result=1)]}
    right = {"jobs": [listed(A, 64, result=1), listed(B, 64, result=1)]}
    script.answers["job-list.list"] = [wrong, right]
    script.answers["job-list.job-stats"] = [{"job_states": {**STATS, "inactive": 2, "total": 2}}]
    async with running(script) as world:
        await world.told.until(lambda event: isinstance(event, JobsListed))
        await world.clock.advance(2.0)
        again = await world.told.until(lambda event: isinstance(event, JobsListed))
        assert isinstance(again, JobsListed)
        assert sorted(again.jobs) == [A, B]


async def test_a_starting_broker_is_shown_before_it_has_jobs(script: Script) -> None:
    script.answers["state-machine.get"] = [{"state": "init"}] * 4 + [{"state": "quorum"}]
    async with running(script) as world:
        await world.told.source(Freshness.CONNECTING, "'init'")
        await world.told.source(Freshness.LIVE)


async def test_what_cannot_be_understood_is_told_and_stops_nothing(script: Script) -> None:
    script.answers["job-manager.queue-status"] = [{"enable": True}]
    script.answers["resource.status"] = [{"R": {"version": 9}, "online": "0-1"}]
    script.answers["job-list.list"] = [{"jobs": [{"id": "?"}, listed(A, 64, result=1)]}]
    async with running(script) as world:
        jobs = await world.told.until(lambda event: isinstance(event, JobsListed))
        assert isinstance(jobs, JobsListed)
        assert list(jobs.jobs) == [A]
        await world.told.source(Freshness.LIVE, "cannot be understood")


async def test_what_nobody_foresaw_is_told_and_the_feed_goes_on(script: Script) -> None:
    world = MiniClusterClient(script)
    world.cluster.refusal = KeyError("metadata")
    task = asyncio.create_task(world.feed.run())
    try:
        await world.pass_time_until(Freshness.CONNECTING, "a bug in fluxstate-tui: KeyError")
        world.cluster.refusal = None
        await world.pass_time_until(Freshness.LIVE)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
