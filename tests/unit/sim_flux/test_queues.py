"""Stopping, starting, enabling, disabling, idling and draining queues."""

from __future__ import annotations

import pytest

from fluxstate_tui.flux.job import JobState
from tests.unit.sim_flux.world import world


async def test_the_anonymous_queue_says_what_real_flux_says() -> None:
    async with world() as w:
        for command, text in (
            ("flux queue stop", "Scheduling is stopped"),
            ("flux queue stop -m 'why not'", "Scheduling is stopped: why not"),
            ("flux queue start --all", "Scheduling is started"),
            ("flux queue disable", "Job submission is disabled: disabled by administrator"),
            ("flux queue disable -m maint", "Job submission is disabled: maint"),
            ("flux queue enable", "Job submission is enabled"),
            ("flux queue stop --quiet", ""),
        ):
            ran = await w.sh(command)
            assert (ran.code, ran.out.strip()) == (0, text)
        ran = await w.sh("flux queue status -v")
        assert ran.out.splitlines() == [
            "Job submission is enabled",
            "Scheduling is stopped",
            "0 alloc requests queued",
            "0 alloc requests pending to scheduler",
            "0 running jobs",
        ]


async def test_a_stopped_queue_takes_jobs_but_runs_none() -> None:
    async with world() as w:
        await w.sh("flux queue stop; flux submit --job-name=later true; sleep 60")
        assert w.job("later").state is JobState.SCHED
        await w.sh("flux queue start; sleep 2")
        assert w.job("later").state is JobState.INACTIVE


async def test_a_disabled_queue_refuses_jobs() -> None:
    async with world() as w:
        ran = await w.sh("flux queue disable -m 'no submissions now'; flux submit true")
        assert ran.code == 1
        assert ran.err == "[Errno 22] job submission is disabled: no submissions now\n"
        assert not w.instance.jobs.jobs


async def test_idle_waits_for_what_runs_and_counts_what_is_left() -> None:
    async with world(size=1, cores_per_node=2) as w:
        await w.sh("flux submit --cc=1-4 sleep 20; sleep 1; flux queue stop")
        before = w.clock.now()
        ran = await w.sh("flux queue idle")
        assert (ran.code, ran.out) == (0, "2 jobs\n")
        assert 15 < w.clock.now() - before < 21


async def test_idle_of_a_started_queue_waits_for_the_pending_jobs_too() -> None:
    async with world(size=1, cores_per_node=1) as w:
        ran = await w.sh("flux submit --cc=1-3 sleep 5; flux queue idle")
        assert ran.out.endswith("0 jobs\n")
        ran = await w.sh("flux submit --urgency=hold true; flux queue idle")
        assert ran.out.endswith("1 jobs\n")


async def test_idle_gives_up_after_its_timeout() -> None:
    async with world() as w:
        ran = await w.sh("flux submit sleep 100; sleep 1; flux queue idle --timeout=1s")
        assert (ran.code, ran.err) == (1, "flux-queue: ERROR: idle: timeout\n")


async def test_idle_ends_when_the_broker_dies() -> None:
    async with world() as w:
        w.instance.agenda.after(5.0, w.instance.kill)
        ran = await w.sh("flux submit sleep 100; sleep 1; flux queue idle")
        assert ran.code == 1
        assert "Connection reset by peer" in ran.err


async def test_drain_of_a_stopped_queue_with_jobs_never_returns() -> None:
    async with world() as w:
        with pytest.raises(TimeoutError):
            await w.sh("flux queue stop; flux submit true; flux queue drain", limit=1000)


async def test_named_queues_want_to_be_named() -> None:
    async with world(queues=["batch", "debug"]) as w:
        ran = await w.sh("flux queue start")
        assert ran.code == 1
        assert ran.err == (
            "flux-queue: ERROR: Named queues are defined. Specify queues or use --all.\n"
        )
        await w.sh("flux queue start --all")
        ran = await w.sh("flux queue stop debug -m 'debug off'; flux queue status")
        assert ran.out.splitlines()[0] == "debug: Scheduling is stopped: debug off"
        assert ran.out.splitlines()[2] == "batch: Scheduling is started"
        ran = await w.sh("flux submit -q debug --job-name=d true; flux submit --job-name=b true")
        await w.clock.advance(5)
        assert w.job("d").state is JobState.SCHED
        assert w.job("b").freeze().queue == "batch"
        assert w.job("b").state is JobState.INACTIVE


async def test_an_unknown_queue_is_refused_with_flux_own_quirk() -> None:
    async with world() as w:
        ran = await w.sh("flux queue stop nosuch")
        assert (ran.code, ran.err) == (
            1,
            "flux-queue: ERROR: start: 'nosuch' is not a valid queue\n",
        )


async def test_the_queue_list_can_be_read_by_programs() -> None:
    async with world() as w:
        form = (
            "{queue}|{submission}|{scheduling}|{enabled.ascii}|{started.ascii}|"
            "{resources.all.nnodes}|{resources.free.ncores}"
        )
        ran = await w.sh(f"flux queue list -n -o '{form}'")
        assert ran.out == "|enabled|started|y|y|2|8\n"
