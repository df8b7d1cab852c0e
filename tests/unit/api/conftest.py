"""A script's view of a simulated cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fluxstate_tui import Client, connect
from tests.faults.stage import Stage, staged


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """A cluster with the tutorial's MiniCluster, up; $KUBECONFIG leads to it."""
    monkeypatch.setenv("FLUXSTATE_STATE_DIR", str(tmp_path / "script"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    async with staged(tmp_path, speed=20) as found:
        await found.create()
        yield found


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[Client]:
    """Connected as a script connects."""
    async with connect() as found:
        yield found
