"""The audit log's lines do with kubectl, as they stand, what the operation did."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
from pathlib import Path

import pytest

from fluxstate_tui.cli.main import build_parser
from fluxstate_tui.cli.short_script import short_script
from fluxstate_tui.kube.errors import NotFound
from fluxstate_tui.operations import audit
from fluxstate_tui.operations.base import Choices, OutcomeKind
from tests.faults.stage import FOLDER, Stage

pytestmark = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not installed here"
)


def lines(stage: Stage, what: str) -> list[str]:
    """Those of the last operation of that kind."""
    entries = [entry for entry in audit.read(stage.context.state_dir).entries if entry.what == what]
    lines = entries[-1].commands
    for line in lines:  # ours must be understood by our own parser
        if line.startswith("fluxstate-tui "):
            build_parser().parse_args(shlex.split(line, comments=True)[1:])
    return [line for line in lines if line.startswith(("kubectl", "echo"))]


async def shell_commands(folder: Path, commands: list[str]) -> None:
    """One after the other in a shell, each of which must succeed."""
    for command in commands:
        assert "\n" not in command
        await in_shell(folder, command)


async def in_shell(folder: Path, script: str) -> None:
    """A script that must succeed."""
    environment = {**os.environ, "KUBECONFIG": str(folder / "kubeconfig"), "HOME": str(folder)}
    process = await asyncio.create_subprocess_exec(
        *("/bin/bash", "-euo", "pipefail", "-c", script),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, (script, out, err)


async def test_a_save_a_delete_and_a_restore_can_be_done_again_from_the_log(
    stage: Stage, tmp_path: Path
) -> None:
    jobs = {await stage.submit("true"), await stage.submit("--urgency=0", "true")}
    await stage.well("save")
    (name,) = [name for name in stage.finished() if name.endswith(".tar.gz")]
    stage.forget_archives()
    await shell_commands(tmp_path, lines(stage, "save"))
    assert stage.files().keys() == {name}
    assert await stage.started()

    stage.forget_archives()
    stage.sim.faults.add("status", code=403, method="DELETE", path="miniclusters", count=-1)
    failed = await stage.do("delete", Choices(save_first=True))
    assert failed.kind is OutcomeKind.FAILED, failed
    stage.sim.faults.clear()
    stage.forget_archives()
    # As `log --commands` prints them.
    await in_shell(tmp_path, "\n".join(short_script(lines(stage, "delete"))))
    with pytest.raises(NotFound):
        await stage.ref()
    (name,) = stage.files()

    await stage.well("restore", Choices(archive=f"/state{FOLDER}/{name}"))
    await shell_commands(tmp_path, ["kubectl delete minicluster flux-sample"])
    again = lines(stage, "restore")
    made = max(number for number, line in enumerate(again) if "create -f -" in line)
    await shell_commands(tmp_path, again[: made + 1])
    await stage.up()
    assert (await stage.jobs()).keys() == jobs
