"""Archives of real Flux, loaded into the simulation and written again."""

from __future__ import annotations

from typing import Any

import pytest

from fluxstate_tui.archive.container import iter_entries
from fluxstate_tui.archive.reader import read_archive
from fluxstate_tui.archive.writer import write_archive
from fluxstate_tui.flux.job_json import job_to_json
from fluxstate_tui.sim.flux.restore import load_content
from tests.unit.sim_flux.world import MiniClusterClient, archive, truth, world

NAMES = ["basic-completion", "pending", "mixed", "running", "old-0.66", "empty"]
OWN_TIME = ("t_run", "t_cleanup", "t_inactive", "runtime", "expiration")
"""Fields that differ in jobs that went on after the restore, because that was at another time."""


NOT_IN_0_66 = ("t_priority", "t_sched", "jobid")


def comparable(job: dict[str, Any], done: set[int]) -> dict[str, Any]:
    """A job without what depends on when it was restored and who placed it."""
    kept = {key: value for key, value in job.items() if key not in NOT_IN_0_66}
    if job["id"] not in done:
        kept.update({key: key in job for key in OWN_TIME})
    kept.pop("username", None)
    kept["annotations"] = {k: v for k, v in job["annotations"].items() if k != "sched"}
    return kept


async def restored(name: str, cores: int = 4) -> dict[int, dict[str, Any]]:
    data = archive(name)
    path = "/state/archive.tar.gz"
    async with world(restore=data, restore_path=path, cores_per_node=cores) as w:
        await w.clock.advance(60)
        jobs = w.instance.jobs.jobs.values()
        return {job.id: job_to_json(job.freeze(), w.clock.now()) for job in jobs}


@pytest.mark.parametrize("name", NAMES)
async def test_a_restored_archive_has_the_jobs_that_real_flux_had_after_its_restore(
    name: str,
) -> None:
    account = truth(name)
    expected = account["restored"]
    done = {job["id"] for job in account["before"] if "t_inactive" in job}
    mine = await restored(name)
    assert {job["id"]: comparable(job, done) for job in expected} == {
        job_id: comparable(job, done) for job_id, job in mine.items()
    }


@pytest.mark.parametrize("name", [name for name in NAMES if name != "old-0.66"])
def test_a_loaded_archive_is_written_with_the_same_entries_in_the_same_order(name: str) -> None:
    data = archive(name)
    content = load_content(data)
    written = write_archive(content.entries(1_795_296_400.5), ".tar.gz")
    before, after = list(iter_entries(data)), list(iter_entries(written))
    assert [entry.name for entry in after] == [entry.name for entry in before]
    assert [(entry.data, entry.link) for entry in after] == [
        (entry.data, entry.link) for entry in before
    ]
    assert [entry.mtime == 0 for entry in after] == [entry.mtime == 0 for entry in before]


async def test_a_dump_of_a_restored_archive_can_be_read_and_has_every_job() -> None:
    async with world(restore=archive("mixed"), restore_path="/state/a.tar.gz") as w:
        await w.sh("flux queue stop; flux queue idle; flux dump -q /state/again.tar.gz")
        again = read_archive(w.files.read("/state/again.tar.gz"))
        before = {job.job.id: job for job in read_archive(archive("mixed")).jobs}
        assert {job.job.id for job in again.jobs} == set(before)
        assert not again.findings
        for job in again.jobs:
            if before[job.job.id].job.t_inactive is not None:
                assert job.eventlog == before[job.job.id].eventlog
                assert job.job == before[job.job.id].job


async def _restore_small(w: MiniClusterClient) -> list[str]:
    return [event.name for event in w.job("p-2node").events()]


async def test_a_job_that_the_smaller_instance_can_never_run_fails_for_good() -> None:
    data, path = archive("pending"), "/state/a.tar.gz"
    async with world(size=1, cores_per_node=1, restore=data, restore_path=path) as w:
        await w.clock.advance(20)
        assert (await _restore_small(w))[-2:] == ["exception", "clean"]
        exception = w.job("p-2node").freeze().exception
        assert exception is not None
        assert exception.type == "alloc"
        assert exception.note == (
            "unsatisfiable request: need 2 exclusive node(s), only 1 eligible"
        )


async def test_ten_thousand_jobs_come_back_and_go_out_again() -> None:
    data = archive("big-10k")
    async with world(restore=data, restore_path="/state/a.tar.gz", cores_per_node=1) as w:
        w.instance.control.queue_start({"start": False, "all": True})
        stats = w.instance.job_list.stats()
        assert stats["job_states"]["total"] in (0, 10_000)
        await w.clock.advance(60)
        counts = truth("big-10k")["before_counts"]
        stats = w.instance.job_list.stats()
        assert stats["job_states"]["total"] == 10_000
        assert stats["failed"] == counts["FAILED"]
        assert stats["canceled"] == counts["CANCELED"]
        again = w.instance.content().entries(w.clock.now())
        assert sum(1 for _ in again) >= 51_403
