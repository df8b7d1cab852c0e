"""What survives the death of a container, and what runs twice."""

from __future__ import annotations

from fluxstate_tui.flux.job import JobState
from fluxstate_tui.sim.flux.statedir import StateDir
from tests.unit.sim_flux.world import archive, events, world

PATH = "/state/archive.tar.gz"


async def test_without_a_checkpoint_a_killed_broker_has_lost_everything_since_its_start() -> None:
    statedir = StateDir()
    async with world(statedir=statedir) as w:
        await w.sh("flux submit true; sleep 5")
        w.instance.kill()
        assert w.instance.state == "dead"
    async with world(statedir=statedir) as w:
        assert not w.instance.jobs.jobs


async def test_after_a_restore_it_falls_back_to_the_archive_and_runs_jobs_twice() -> None:
    statedir = StateDir()
    async with world(statedir=statedir, restore=archive("pending"), restore_path=PATH) as w:
        await w.sh("flux submit --job-name=new true; sleep 30")
        assert w.job("p-sleep").state is JobState.INACTIVE
        w.instance.kill()
    async with world(statedir=statedir) as w:  # the archive was disarmed meanwhile
        assert "new" not in w.names(*JobState)
        await w.clock.advance(30)
        assert events(w.job("p-sleep")).count("start") == 1
        assert w.job("p-sleep").draft.t_run > w.instance.started_at  # type: ignore[operator]


async def test_a_checkpoint_a_moment_before_saves_everything() -> None:
    statedir = StateDir()
    async with world(statedir=statedir, restore=archive("pending"), restore_path=PATH) as w:
        await w.sh("flux submit --job-name=new true; sleep 30; flux kvs put --sync guard=1")
        before = {job.id: job.eventlog for job in w.instance.jobs.jobs.values() if not job.active}
        w.instance.kill()
    async with world(statedir=statedir) as w:
        after = {job.id: job.eventlog for job in w.instance.jobs.jobs.values()}
        assert before.items() <= after.items()
        assert w.job("new").state is JobState.INACTIVE
        text = "kvs.info[0]: restored KVS from checkpoint on "
        assert any(text in line for line in w.instance.log.lines)


async def test_an_armed_archive_is_applied_at_every_start_whatever_was_checkpointed() -> None:
    statedir = StateDir()
    data = archive("pending")
    async with world(restore=data, restore_path=PATH, statedir=statedir) as w:
        await w.sh("flux submit --job-name=new true; sleep 30; flux kvs put --sync guard=1")
        w.instance.kill()
    async with world(restore=data, restore_path=PATH, statedir=statedir) as w:
        assert "new" not in w.names(*JobState)
        assert w.job("p-whoami").draft.t_run is not None


async def test_a_live_dump_does_not_remember_that_the_queue_is_stopped() -> None:
    async with world() as w:
        await w.sh("flux queue stop; flux submit --job-name=later true; sleep 1")
        await w.sh(f"flux dump -q {PATH}")
        data = w.files.read(PATH)
    async with world(restore=data, restore_path=PATH) as w:
        await w.clock.advance(5)
        assert w.job("later").state is JobState.INACTIVE


async def test_a_clean_shutdown_remembers_it_and_the_memory_goes_stale() -> None:
    async with world() as w:
        await w.sh("flux queue stop -m paused; flux queue disable -m 'no more'")
        ran = await w.sh(f"flux shutdown --dump={PATH}")
        assert ran.code == 0
        assert (w.instance.state, w.instance.exit_code) == ("exit", 0)
        data = w.files.read(PATH)
    async with world(restore=data, restore_path=PATH) as w:
        ran = await w.sh("flux queue status")
        assert ran.out.splitlines() == [
            "Job submission is disabled: no more",
            "Scheduling is stopped: paused",
        ]
        ran = await w.sh(f"flux queue start; flux queue enable; flux dump -q {PATH}")
        stale = w.files.read(PATH)
    async with world(restore=stale, restore_path=PATH) as w:
        ran = await w.sh("flux queue status")
        assert ran.out.splitlines()[0] == "Job submission is disabled: no more"


async def test_the_paused_restore_trick_works() -> None:
    value = (
        '{"version":1,"max_jobid":1,"queue":[{"enable":true,"start":false,'
        '"stop_reason":"restored paused"}]}'
    )
    async with world() as w:
        await w.sh("flux queue stop; flux submit --job-name=later echo later; sleep 1")
        await w.sh(f"flux kvs put checkpoint.job-manager='{value}'; flux dump -q {PATH}")
        data = w.files.read(PATH)
    async with world(restore=data, restore_path=PATH) as w:
        await w.clock.advance(60)
        ran = await w.sh("flux queue status; flux jobs -no '{name} {state}'")
        assert "Scheduling is stopped: restored paused\nlater SCHED\n" in ran.out
        await w.sh("flux queue start --all; sleep 2; flux kvs unlink checkpoint.job-manager")
        assert w.job("later").state is JobState.INACTIVE
        await w.sh(f"flux dump -q {PATH}")
        ran = await w.sh(f"tar tf {PATH} | grep -v ^job/")
        assert ran.out.split() == ["admin/eventlog", "resource/R", "resource/eventlog"]


async def test_shutdown_cancels_what_runs() -> None:
    async with world() as w:
        await w.sh("flux submit --job-name=long sleep 1000; sleep 1; flux shutdown")
        assert w.job("long").freeze().status == "CANCELED"


async def test_dump_checkpoint_of_a_living_instance_has_no_jobs() -> None:
    async with world() as w:
        ran = await w.sh(
            "flux submit true; sleep 3; flux dump --checkpoint -q /state/c.tar; tar tf /state/c.tar"
        )
        assert ran.out.split()[1:] == ["admin/eventlog", "resource/R"]
