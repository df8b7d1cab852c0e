"""A simulated cluster, the program, and somebody who may write to the volume."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fluxstate_tui.archive.manifest import from_bytes, to_bytes
from fluxstate_tui.operations.base import Choices
from tests.faults.stage import FOLDER, Stage, staged
from tests.unit.cli_archives.conftest import archives, folder, state
from tests.unit.cli_operate.conftest import Program

__all__ = ["archives", "folder", "state"]

Change = Callable[[dict[str, Any]], None]


class Attacker:
    """A job that mounts the volume of the archives."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def forge(self, change: Change) -> None:
        """Change the MiniCluster in every manifest, each with a right checksum."""
        volume = self._stage.volume
        for name in self._stage.finished():
            if name.endswith(".json"):
                path = f"{FOLDER}/{name}"
                volume.write(path, forged(volume.read(path), change))


def forged(data: bytes, change: Change) -> bytes:
    """A manifest with another MiniCluster, and a right checksum."""
    manifest = from_bytes(data)
    raw = json.loads(manifest.extra["minicluster"])
    change(raw)
    return to_bytes(replace(manifest, extra={**manifest.extra, "minicluster": json.dumps(raw)}))


def node_root(raw: dict[str, Any]) -> None:
    """Become root on the node."""
    container = raw["spec"]["containers"][0]
    container["securityContext"] = {"privileged": True}
    container["commands"] = {"pre": "true"}
    container["volumes"]["host"] = {"path": "/host", "hostPath": "/"}


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[Program]:
    async with staged(tmp_path, speed=20) as stage:
        await stage.create()
        yield Program(stage, tmp_path)


@pytest.fixture
def stage(program: Program) -> Stage:
    return program.stage


@pytest.fixture
def attacker(stage: Stage) -> Attacker:
    return Attacker(stage)


@pytest.fixture
async def fetched(stage: Stage, tmp_path: Path) -> Path:
    """An archive of a MiniCluster that is deleted, on this computer, with a forged manifest."""
    await stage.submit("--urgency=hold", "true")
    await stage.well("delete", Choices(save_first=True))
    folder = tmp_path / "fetched"
    folder.mkdir()
    for name in stage.finished():
        data = stage.volume.read(f"{FOLDER}/{name}")
        (folder / name).write_bytes(forged(data, node_root) if name.endswith(".json") else data)
    (archive,) = folder.glob("*.tar.gz")
    return archive
