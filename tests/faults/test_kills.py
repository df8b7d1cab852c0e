"""The program killed with SIGKILL at a step: the next start finds it and puts it right."""

from __future__ import annotations

import asyncio
import os
import posixpath
import signal
import sys
from pathlib import Path

from fluxstate_tui.kube.objects import LEASES
from fluxstate_tui.operations import journal, recovery
from tests.faults.stage import FOLDER, NAME, NAMESPACE, Stage


async def killed_at(stage: Stage, folder: Path, step: str, *words: str) -> None:
    """Run the installed program, and kill it as soon as its journal says that a step began."""
    environment = {**os.environ, "FLUXSTATE_STATE_DIR": str(stage.context.state_dir)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "fluxstate_tui", *words),
        *("--kubeconfig", str(folder / "kubeconfig")),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
    )
    pattern = f"*-{words[0]}-*.jsonl"
    while process.returncode is None:
        journals = (stage.context.state_dir / "journal").glob(pattern)
        records = [record for record in map(journal.read, journals) if record]
        if any(step in record.steps for record in records):
            process.send_signal(signal.SIGKILL)
            break
        await asyncio.sleep(0.02)
    assert await process.wait() == -signal.SIGKILL


async def program(stage: Stage, folder: Path, *words: str) -> str:
    """Run the installed program to its end; what it says on stderr."""
    environment = {**os.environ, "FLUXSTATE_STATE_DIR": str(stage.context.state_dir)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "fluxstate_tui", *words),
        *("--kubeconfig", str(folder / "kubeconfig")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    _, errors = await process.communicate()
    assert process.returncode == 0, errors
    return errors.decode()


async def test_a_save_that_was_killed_leaves_a_stopped_queue_that_is_noticed(
    stage: Stage, tmp_path: Path
) -> None:
    job = await stage.submit("sleep", "1")
    await killed_at(stage, tmp_path, "verify", "save")
    (record,) = journal.unfinished(stage.context.state_dir)
    assert record.operation == "save"
    finding = await recovery.look(stage.context, record)
    assert finding.next == "resume"
    # The dead one's lock would expire after 30 s of real time.
    await stage.context.cluster.delete(LEASES, f"fluxstate-{NAME}", NAMESPACE)
    said = await program(stage, tmp_path, "resume")
    assert "was interrupted at '" in said
    assert "fluxstate-tui resume flux-sample" in said
    assert await stage.started()
    assert job in await stage.jobs()
    assert stage.unfinished() == []
    assert all(ids == {job} for ids in stage.archived())  # whatever has a name is whole


def parts(stage: Stage) -> list[str]:
    return [name for name in stage.volume.listdir(FOLDER) if name.startswith(".part-")]


async def test_what_a_killed_save_left_on_the_volume_goes_when_it_is_put_right(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.submit("sleep", "1")
    await killed_at(stage, tmp_path, "verify", "save")
    (record,) = journal.unfinished(stage.context.state_dir)
    assert parts(stage) == [posixpath.basename(path) for path in record.facts["parts"]]
    finding = await recovery.look(stage.context, record)
    assert parts(stage), "looking at it changes nothing"
    await stage.well("resume")
    assert await recovery.settle(stage.context, finding) is None
    assert parts(stage) == []


async def test_what_a_killed_save_left_on_the_volume_goes_with_the_next_save(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.submit("sleep", "1")
    await killed_at(stage, tmp_path, "verify", "save")
    stage.volume.write(f"{FOLDER}/.part-{'1e' * 6}.tar.gz", b"another program writes it")
    assert len(parts(stage)) == 2
    await stage.well("save")
    assert parts(stage) == [f".part-{'1e' * 6}.tar.gz"]


async def test_a_killed_migration_under_the_same_name_never_offers_to_delete_the_old_one(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.submit("--urgency=0", "true")
    await killed_at(stage, tmp_path, "reach", "migrate", NAME, "--size", "3", "--yes")
    (record,) = journal.unfinished(stage.context.state_dir)
    finding = await recovery.look(stage.context, record)
    assert finding.next == "resume"
    await stage.context.cluster.delete(LEASES, f"fluxstate-{NAME}", NAMESPACE)
    await stage.well("resume")
    assert await recovery.settle(stage.context, finding) is None
    assert stage.unfinished() == []
