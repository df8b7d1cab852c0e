"""Half-written files of killed programs do not fill the volume, and are not taken for archives."""

from __future__ import annotations

import os
import time

from tests.faults.stage import FOLDER, Stage


async def test_old_leftovers_are_removed_and_fresh_ones_left_to_whoever_writes_them(
    stage: Stage,
) -> None:
    await stage.submit("true")
    await stage.well("save")
    now = stage.sim.clock.now()
    old, fresh, theirs = f".part-{'0d' * 6}.tar.gz", f".part-{'1e' * 6}.tar.gz", ".part-of-theirs"
    for folder in (FOLDER, ""):  # a restore works beside archive.path itself
        for name, age in ((old, 7 * 3600), (fresh, 60), (theirs, 7 * 3600)):
            stage.volume.write(f"{folder}/{name}", b"half")
            stage.volume.touch(f"{folder}/{name}", now - age)
    await stage.well("save")
    for folder in (FOLDER, "/"):
        left = {name for name in stage.volume.listdir(folder) if name.startswith(".")}
        assert left == {fresh, theirs}
    assert len(stage.archived()) == 2


async def test_what_a_killed_program_left_on_this_computer_does_not_stay_there(
    stage: Stage,
) -> None:
    """Archives hold the environments of jobs: no copy that nobody knows of may lie around."""
    await stage.submit("true")
    folder = stage.context.state_dir
    folder.mkdir(parents=True, exist_ok=True)
    for name, age in (("fetch-old.part", 7 * 3600), ("fetch-fresh.part", 60)):
        (folder / name).write_bytes(b"half")
        then = time.time() - age
        os.utime(folder / name, (then, then))
    await stage.well("save")
    assert [path.name for path in folder.glob("*.part")] == ["fetch-fresh.part"]
