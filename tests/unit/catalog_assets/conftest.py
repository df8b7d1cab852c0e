"""A volume with a directory to save."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.unit.catalog_assets.program import Volume


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    mount = tmp_path / "volume"
    (mount / "data").mkdir(parents=True)
    return Volume(mount)


def settled(path: Path) -> None:
    """Wait until a stamp of `path` is so old that a save believes it."""
    while time.time() - os.lstat(path).st_ctime < 2.1:
        time.sleep(0.05)
