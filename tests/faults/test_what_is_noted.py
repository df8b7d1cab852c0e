"""What an operation writes down: the manifest beside an archive, and what was lost on purpose."""

from __future__ import annotations

import hashlib
import re

from fluxstate_tui.archive.manifest import from_bytes
from fluxstate_tui.archive.verify import verify
from fluxstate_tui.operations import audit
from tests.faults.stage import FOLDER, NAME, NAMESPACE, Stage


async def test_a_manifest_says_what_was_saved_of_which_minicluster_by_whom_and_how_sure_it_is(
    stage: Stage,
) -> None:
    await stage.submit("true")
    await stage.flux("queue", "idle")
    await stage.submit("--urgency=0", "true")
    await stage.well("save")
    (name,) = (one for one in stage.finished() if one.endswith(".json"))
    manifest = from_bytes(stage.volume.read(f"{FOLDER}/{name}"))
    (part,) = manifest.parts
    data = stage.volume.read(f"{FOLDER}/{part.file}")
    assert (part.size, part.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    ref = await stage.ref()
    assert (manifest.namespace, manifest.minicluster, manifest.uid) == (NAMESPACE, NAME, ref.uid)
    assert (manifest.size, manifest.core_version) == (2, "0.88.0")
    assert manifest.counts == {"COMPLETED": 1, "SCHED": 1}
    assert (manifest.created_by, manifest.came_from) == ("me@test", "flux dump")
    assert abs(manifest.created - stage.sim.clock.now()) < 120
    assert manifest.verified == verify(data).level == "L2"


async def test_a_delete_that_loses_jobs_is_in_the_log_with_who_typed_it_and_what_is_lost(
    stage: Stage,
) -> None:
    ref = await stage.ref()
    await stage.submit("--urgency=0", "true")
    outcome = await stage.do("delete", typed=NAME)
    assert outcome.exit_code == 0, outcome
    entry = audit.read(stage.context.state_dir).entries[-1]
    assert (entry.what, entry.outcome, entry.who) == ("delete", "Completed", "me@test")
    assert entry.target == ref
    assert "1 pending" in entry.reason


async def test_an_archive_whose_name_is_taken_meanwhile_gets_another(stage: Stage) -> None:
    await stage.submit("true")
    taken: list[str] = []

    async def take_it(method: str, path: str) -> None:
        """Somebody else writes a file of that name just before the archive gets it."""
        names = re.findall(rf"\d{{8}}-\d{{6}}-{NAME}\.tar\.gz", path)
        if names and not taken:
            taken.extend(names)
            stage.volume.write(f"{FOLDER}/{names[0]}", b"precious")

    stage.sim.faults.gate = take_it
    await stage.well("save")
    assert stage.volume.read(f"{FOLDER}/{taken[0]}") == b"precious"
    (saved,) = (one for one in stage.finished() if one.endswith(".json"))
    part = from_bytes(stage.volume.read(f"{FOLDER}/{saved}")).parts[0]
    assert part.file == taken[0].replace(".tar.gz", "-2.tar.gz")
