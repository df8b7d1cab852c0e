"""The target of the end-to-end suite: simulated, unless --kubeconfig names a real cluster."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from fluxstate_tui.sim.server import SimulatedCluster
from tests.e2e.target import MINICLUSTER, Target

SIMULATED_SPEED = 20.0
SIMULATED_PATIENCE = 120.0
REAL_PATIENCE = 900.0


@pytest.fixture
async def target(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Target]:
    """A cluster without our MiniCluster. What a test made there is removed again."""
    kubeconfig = request.config.getoption("--kubeconfig")
    if kubeconfig is not None:
        real = _real(request, Path(kubeconfig), tmp_path)
        await real.remove()
        yield real
        await real.remove()
        return
    async with SimulatedCluster(speed=SIMULATED_SPEED, world="empty") as cluster:
        path = tmp_path / "kubeconfig"
        cluster.write_kubeconfig(path)
        yield Target(
            path,
            "default",
            copy.deepcopy(MINICLUSTER),
            True,
            tmp_path / "state",
            SIMULATED_PATIENCE,
        )


def _real(request: pytest.FixtureRequest, kubeconfig: Path, tmp_path: Path) -> Target:
    manifest = request.config.getoption("--minicluster")
    if manifest is None:
        pytest.fail("a real cluster needs --minicluster FILE: a manifest with an archive.path")
    return Target(
        kubeconfig,
        request.config.getoption("--namespace"),
        yaml.safe_load(Path(manifest).read_text()),
        False,
        tmp_path / "state",
        REAL_PATIENCE,
    )
