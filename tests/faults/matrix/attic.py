"""What earlier days left on the volume: made once, put into every trial's fresh cluster."""

from __future__ import annotations

import pickle
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fluxstate_tui.broker import manifest_cache
from fluxstate_tui.broker.objects import read_minicluster
from tests.faults.stage import ANY, FOLDER, SPEED, Stage, staged

from .clock import PatientClock
from .look import SUFFIX

ABOUT_JOBS = (("true",), ("--urgency=0", "true"))


@dataclass(frozen=True, slots=True)
class Attic:
    """Two archives of a deleted MiniCluster, the second with one more job, and its object."""

    files: dict[str, bytes]
    raw: dict[str, Any]

    @property
    def older(self) -> str:
        """The id of the first archive."""
        return min(name for name in self.files if name.endswith(SUFFIX)).removesuffix(SUFFIX)

    @property
    def newer(self) -> str:
        """The id of the second one."""
        return max(name for name in self.files if name.endswith(SUFFIX)).removesuffix(SUFFIX)

    def put(self, stage: Stage, *ids: str) -> None:
        """Lay these archives with their manifests into the catalog."""
        stage.volume.makedirs(FOLDER)
        for name, data in self.files.items():
            if name.startswith(ids):
                stage.volume.write(f"{FOLDER}/{name}", data)

    def remember(self, stage: Stage) -> None:
        """As if the program had seen that MiniCluster once."""
        context = stage.context
        manifest_cache.remember(context.state_dir, context.cluster.server, ANY, self.raw)


async def furnish() -> Attic:
    """Live through those days."""
    with tempfile.TemporaryDirectory() as folder:
        async with staged(Path(folder), clock=PatientClock(SPEED, time.time())) as stage:
            await stage.create()
            await stage.submit(*ABOUT_JOBS[0])
            await stage.well("save")
            await stage.submit(*ABOUT_JOBS[1])
            await stage.well("save")
            raw = (await read_minicluster(stage.context, ANY)).raw
            files = {name: stage.volume.read(f"{FOLDER}/{name}") for name in stage.finished()}
            return Attic(files, raw)


def keep(attic: Attic, path: Path) -> None:
    """For other processes."""
    path.write_bytes(pickle.dumps(attic))


def take(path: Path) -> Attic:
    """What `keep` wrote."""
    found = pickle.loads(path.read_bytes())
    assert isinstance(found, Attic)
    return found
