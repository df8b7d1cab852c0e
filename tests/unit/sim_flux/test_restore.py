"""What a broker makes of the file that it is told to restore."""

from __future__ import annotations

import gzip
import io
import random
import tarfile

import pytest

from fluxstate_tui.archive.writer import write_archive
from fluxstate_tui.flux.job import JobState
from fluxstate_tui.sim.clock import VirtualClock
from fluxstate_tui.sim.flux.instance import FluxInstance
from fluxstate_tui.sim.flux.statedir import StateDir
from tests.unit.sim_flux.world import HOSTS, archive, events, world

PATH = "/state/archive.tar.gz"
MIXED = archive("mixed")


async def failed_start(data: bytes, statedir: StateDir | None = None) -> FluxInstance:
    clock = VirtualClock()
    instance = FluxInstance(
        clock, HOSTS, restore=data, restore_path=PATH, statedir=statedir or StateDir()
    )
    assert await clock.run(instance.start()) is False
    await instance.close()
    return instance


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (archive("truncated"), "truncated gzip input"),
        (MIXED[:-8], "(null)"),
        (random.Random(1).randbytes(4000), "Unrecognized archive format"),
        (b"this is no archive\n" * 100, "Unrecognized archive format"),
        (gzip.compress(b"nor is this\n" * 100, mtime=0), "Unrecognized archive format"),
        (gzip.decompress(MIXED)[:40_100], "Truncated tar archive"),
    ],
)
async def test_a_broken_archive_ends_the_broker_with_the_words_of_real_flux(
    data: bytes, text: str
) -> None:
    instance = await failed_start(data)
    assert instance.state == "exit"
    assert instance.exit_code == 1
    assert f"<3>broker.err[0]: rc1.0: flux-restore: {text}" in instance.log.lines
    assert "<6>broker.info[0]: rc1-fail: init->shutdown 0.386944s" in instance.log.lines


async def test_flipped_bits_are_noticed() -> None:
    data = bytearray(MIXED)
    for position in range(5000, 5040):
        data[position] ^= 0x55
    assert (await failed_start(bytes(data))).exit_code == 1


async def test_a_failed_restore_has_lost_the_old_state_as_well() -> None:
    statedir = StateDir()
    async with world(statedir=statedir) as w:
        await w.submit("true")
        w.instance.checkpoint()
    assert statedir.checkpoint is not None
    await failed_start(archive("truncated"), statedir)
    assert statedir.checkpoint is None


@pytest.mark.parametrize(
    "data", [b"", None, write_archive([], ".tar"), write_archive([], ".tar.gz")]
)
async def test_zero_bytes_nothing_or_an_empty_tar_start_empty_without_a_word(
    data: bytes | None,
) -> None:
    async with world(restore=data, restore_path=PATH) as w:
        assert w.instance.state == "run"
        assert not w.instance.jobs.jobs
        assert not [line for line in w.instance.log.lines if line.startswith("<3>")]


async def test_running_jobs_come_back_failed_and_their_output_is_lost() -> None:
    async with world(restore=archive("running"), restore_path=PATH) as w:
        job = w.job("r-output")
        assert job.state is JobState.INACTIVE
        assert events(job)[-4:] == ["exception", "release", "free", "clean"]
        assert "flux-restart" not in events(job)
        ran = await w.sh(f"flux job attach {job.id}")
        assert ran.code == 1
        assert "failed to create guest ns: No such file or directory" in ran.err
        assert "flux_job_event_watch_get: Operation not supported" in ran.err
        assert any(
            line.startswith("<3>job-exec.err[0]: could not recover guest namespace for ƒ")
            for line in w.instance.log.lines
        )


async def test_a_pending_job_is_queued_again_and_says_so() -> None:
    async with world(restore=archive("pending"), restore_path=PATH) as w:
        await w.clock.advance(30)
        log = events(w.job("p-2node"))
        assert log[:6] == ["submit", "validate", "depend", "priority", "flux-restart", "priority"]
        assert log[-1] == "clean"


async def test_held_jobs_stay_held() -> None:
    async with world(restore=archive("pending"), restore_path=PATH) as w:
        await w.clock.advance(30)
        assert w.job("p-held").state is JobState.SCHED
        assert w.job("p-begin").state is JobState.DEPEND


async def test_new_jobs_get_higher_ids_than_any_before() -> None:
    async with world(restore=archive("mixed"), restore_path=PATH) as w:
        highest = max(w.instance.jobs.jobs)
        assert (await w.submit("true")).id > highest


async def test_named_queues_come_up_stopped_even_with_pending_jobs() -> None:
    async with world(queues=["batch", "debug"]) as w:
        await w.sh("flux queue start --all")
        await w.sh("flux submit --urgency=hold -q debug --job-name=d1 true; sleep 1")
        await w.sh("flux dump -q /state/queues.tar.gz")
        data = w.files.read("/state/queues.tar.gz")
    async with world(queues=["batch", "debug"], restore=data, restore_path=PATH) as w:
        ran = await w.sh("flux queue status")
        assert ran.out.splitlines() == [
            "batch: Job submission is enabled",
            "batch: Scheduling is stopped",
            "debug: Job submission is enabled",
            "debug: Scheduling is stopped",
        ]


async def test_a_job_of_a_queue_that_does_not_exist_waits_for_ever() -> None:
    async with world(queues=["batch"]) as w:
        await w.sh("flux submit --job-name=b1 true; sleep 1; flux dump -q /state/q.tar.gz")
        data = w.files.read("/state/q.tar.gz")
    async with world(restore=data, restore_path=PATH) as w:
        await w.clock.advance(3600)
        assert w.job("b1").state is JobState.SCHED


async def test_the_log_tells_what_was_restored() -> None:
    async with world(restore=archive("running"), restore_path=PATH) as w:
        for text in (
            "job-manager.info[0]: restart: 8 jobs",
            "job-manager.info[0]: restart: 5 running jobs",
            "job-manager.info[0]: restart: checkpoint.job-manager not found",
            f"broker.info[0]: rc1.0: restoring content from {PATH}",
            "broker.info[0]: rc1.0: Flux was not shut down properly.  Data may have been lost.",
        ):
            assert f"<6>{text}" in w.instance.log.lines


def test_the_reader_of_the_test_data_is_not_fooled() -> None:
    with tarfile.open(fileobj=io.BytesIO(MIXED)) as tar:
        assert len(tar.getnames()) == 203
