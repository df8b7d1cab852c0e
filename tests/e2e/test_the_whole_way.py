"""Watch, pause, save, delete and restore a queue by the commands that a user types."""

from __future__ import annotations

import pytest

from tests.e2e.target import Target


@pytest.mark.parametrize("size", [1, 2, 3], ids=["smaller", "same size", "larger"])
async def test_a_paused_queue_goes_on_in_a_new_minicluster(target: Target, size: int) -> None:
    await target.create(size=2)
    done = await target.submit("whoami", count=2)
    await target.until_done(*done)
    running = await target.submit("sleep", "5")

    paused = await target.fluxstate("pause", target.name, "--yes", "--json")
    assert paused.code == 0, paused.stderr
    waiting = await target.submit("echo", "after the restore", count=3)
    before = await target.jobs()
    assert {before[job]["state"] for job in waiting} == {"SCHED"}

    archived = await target.archives()
    saved = await target.fluxstate("save", target.name, "--keep-paused", "--yes", "--json")
    assert saved.code == 0, saved.stderr
    assert saved.json["outcome"]["kind"] == "Completed"
    assert len(await target.archives() - archived) == 1

    deleted = await target.fluxstate("delete", target.name, "--yes", "--json")
    assert deleted.code == 0, deleted.stderr
    gone = await target.fluxstate("get", "miniclusters", target.name)
    assert gone.code == 4

    restored = await target.fluxstate(
        "restore", target.name, "--size", str(size), "--yes", "--json"
    )
    assert restored.code == 0, restored.stderr
    await target.until_done(*waiting)
    after = await target.jobs()
    assert after.keys() >= {*done, *running, *waiting}
    assert {after[job]["result"] for job in (*done, *running, *waiting)} == {"COMPLETED"}
    assert all(after[job]["t_run"] == before[job]["t_run"] for job in done)
    assert (await target.minicluster())["size"] == size


async def test_deleting_what_is_not_saved_is_refused_and_says_what_would_be_lost(
    target: Target,
) -> None:
    await target.create(size=1)
    (job,) = await target.submit("sleep", "600")

    refused = await target.fluxstate("delete", target.name, "--yes")

    assert refused.code == 5
    assert "1" in refused.stdout
    assert job in await target.jobs()


async def test_an_empty_queue_is_saved_as_empty_and_restored_as_empty(target: Target) -> None:
    await target.create(size=1)
    saved = await target.fluxstate("save", target.name, "--yes", "--json")
    assert saved.code == 0, saved.stderr
    before = await target.archives()
    assert (await target.fluxstate("delete", target.name, "--yes")).code == 0
    # By its name: where a volume has archives with jobs, an empty one is never the default.
    words = ("--archive", max(before), "--yes")
    restored = await target.fluxstate("restore", target.name, *words)
    assert restored.code == 0, restored.stderr
    assert await target.jobs() == {}
