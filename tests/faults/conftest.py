"""The stage of every fault test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.stage import Stage, staged


@pytest.fixture
async def stage_without(tmp_path: Path) -> AsyncIterator[Stage]:
    """A cluster without any MiniCluster."""
    async with staged(tmp_path) as found:
        yield found


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as found:
        await found.create()
        yield found
