"""Half-written files of killed programs do not fill the volume, and are not taken for archives."""

from __future__ import annotations

from tests.faults.stage import FOLDER, Stage


async def test_old_leftovers_are_removed_and_fresh_ones_left_to_whoever_writes_them(
    stage: Stage,
) -> None:
    await stage.submit("true")
    await stage.well("save")
    now = stage.sim.clock.now()
    for name, age in (("old", 7 * 3600), ("fresh", 60)):
        stage.volume.write(f"{FOLDER}/.part-{name}.tar.gz", b"half")
        stage.volume.touch(f"{FOLDER}/.part-{name}.tar.gz", now - age)
    await stage.well("save")
    left = [name for name in stage.files() if name.startswith(".")]
    assert left == [".part-fresh.tar.gz"]
    assert len(stage.archived()) == 2
