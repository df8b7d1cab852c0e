"""An installed wheel works without the checkout: what stands at the top level travels inside."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip would put into site-packages."""
    folder = tmp_path_factory.mktemp("wheel")
    (wheel,) = WheelBuilder(str(CHECKOUT)).build(directory=str(folder), versions=["standard"])
    site = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def test_every_theme_travels_inside_the_wheel(unpacked: Path) -> None:
    here = {path.name for path in (CHECKOUT / "themes").glob("*.toml")}
    there = {path.name for path in (unpacked / "fluxstate_tui" / "themes").glob("*.toml")}
    assert here
    assert there == here


def test_the_unpacked_wheel_finds_its_own_themes(unpacked: Path) -> None:
    show = "from fluxstate_tui.tui.theme import theme_folder; print(theme_folder())"
    done = subprocess.run(
        [sys.executable, "-c", show],
        capture_output=True,
        text=True,
        check=True,
        cwd=unpacked,
        env={"PYTHONPATH": str(unpacked), "PATH": "/usr/bin:/bin"},
    )
    assert Path(done.stdout.strip()) == unpacked / "fluxstate_tui" / "themes"


def test_both_commands_are_installed(unpacked: Path) -> None:
    (info,) = unpacked.glob("*.dist-info")
    scripts = (info / "entry_points.txt").read_text()
    assert "fluxstate-tui = " in scripts
    assert "kubectl-fluxstate = " in scripts
