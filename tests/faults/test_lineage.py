"""What an archive came from, and what a stale checkpoint in it must not do."""

from __future__ import annotations

import json

from fluxstate_tui.archive.manifest import Manifest, from_bytes
from fluxstate_tui.operations.base import Choices
from fluxstate_tui.operations.moves import moves
from tests.faults.stage import FOLDER, Stage


def manifests(stage: Stage) -> list[Manifest]:
    """Oldest first."""
    names = sorted(name for name in stage.finished() if name.endswith(".json"))
    return [from_bytes(stage.volume.read(f"{FOLDER}/{name}")) for name in names]


async def test_an_archive_tells_which_one_its_queue_was_restored_from(stage: Stage) -> None:
    await stage.submit("true")
    await stage.well("delete", Choices(save_first=True))
    await stage.well("restore")
    await stage.well("save")
    first, second = manifests(stage)
    assert (first.origin, second.origin) == ("", f"restored from {first.id}")
    assert second.uid != first.uid


async def test_a_stale_checkpoint_does_not_stop_a_restored_queue(stage: Stage) -> None:
    # As a clean shutdown of an earlier life left it (ARCHITECTURE.md#F2).
    stale = json.dumps({"version": 1, "max_jobid": 0, "queue": [{"enable": False, "start": False}]})
    await stage.flux("kvs", "put", f"checkpoint.job-manager={stale}")
    job = await stage.submit("true")
    await stage.well("delete", Choices(save_first=True))
    await stage.well("restore")
    status = await stage.flux("queue", "status")
    assert "submission is enabled" in status
    assert "Scheduling is started" in status
    assert job in await stage.jobs()


async def test_the_journal_knows_where_a_migrated_minicluster_went(stage: Stage) -> None:
    old = await stage.ref()
    await stage.well("migrate", Choices(size=1))  # in place: it went nowhere
    assert moves(stage.context.state_dir) == ()
    there = await stage.ref()
    await stage.well("migrate", Choices(to_name="night-c"))
    (move,) = moves(stage.context.state_dir)
    assert (move.source, move.words) == (there, "night-c")
    assert old != there
